"""The HTML pages.

benchmark.py     The page of a benchmark: a sentence and a picture by world, then every measure, segments, channels,
                 how it was made
benchmark_study.py  A benchmark as a study's page: a world at a time, what each policy earns, what learning cost, and
                 whom it sends what
data_quality.py  The data-quality page: what came in, what stayed, what was refused and why, how complete columns and
                 tags are
day_line.py      A line of days as a small SVG: what it was, the band it should be in, where it left it; drawn by hand
monitor.py       The page of a monitor: what is wrong, what cannot be known, each rate as a line of days with its
                 band
morning.py       The page of a morning: what would be sent, what it waits for, what to look at, what each station did
plan.py          The plan of a run on one page: what will be sent, to how many, what it costs, who gets nothing, what
                 changed
sections.py      What stands in each part of the page, as plain records of texts, ready for the template
study.py         A study's page: the answer in a sentence and a picture, then what it rests on; one HTML file that needs
                 no other
template.py      Templates of pages that need nothing but themselves, and the style they share
told_study.py    The page of any study script: what it printed and drew
training.py      The report of a training: one HTML page, the picture as a PNG beside it, and the facts for JSON
trend.py         The trend page of a history: what each policy was worth commit by commit, where it changed, and what
                 was accepted
"""

from campaignrl.report.pages.benchmark import benchmark_page as benchmark_page
from campaignrl.report.pages.benchmark_study import against_baseline as against_baseline
from campaignrl.report.pages.benchmark_study import made_of as made_of
from campaignrl.report.pages.benchmark_study import mean_interval as mean_interval
from campaignrl.report.pages.benchmark_study import world_part as world_part
from campaignrl.report.pages.data_quality import completeness as completeness
from campaignrl.report.pages.data_quality import in_words as in_words
from campaignrl.report.pages.data_quality import quality_page as quality_page
from campaignrl.report.pages.day_line import day_line as day_line
from campaignrl.report.pages.monitor import monitor_page as monitor_page
from campaignrl.report.pages.monitor import rate_picture as rate_picture
from campaignrl.report.pages.morning import Standing as Standing
from campaignrl.report.pages.morning import day_of_page as day_of_page
from campaignrl.report.pages.morning import morning_page as morning_page
from campaignrl.report.pages.morning import restated as restated
from campaignrl.report.pages.plan import plan_page as plan_page
from campaignrl.report.pages.study import Drawing as Drawing
from campaignrl.report.pages.study import Part as Part
from campaignrl.report.pages.study import StudyPage as StudyPage
from campaignrl.report.pages.study import Table as Table
from campaignrl.report.pages.template import charts_style as charts_style
from campaignrl.report.pages.template import style as style
from campaignrl.report.pages.told_study import told_page as told_page
from campaignrl.report.pages.trend import trend_page as trend_page

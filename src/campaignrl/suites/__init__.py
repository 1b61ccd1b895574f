"""Benchmark suites: many policies, worlds and seeds, played on the same customers and compared honestly.

suite.py        what a suite TOML may say
plan.py         every run of a suite, and what it can detect, before anything runs
identity.py     are all names known, and which content stands behind them
measure.py      one run: train if it learns, play, count what came of it
measure_definitions.py   every figure, defined once: formula, unit, source
rows.py         from the counts of all runs to rows of measures
store.py        finished runs of an unfinished benchmark
results.py      the results file
timings.py      what each run took, beside it
run.py          the verb `benchmark`
judge.py        a verdict for each row: values by seed against values by seed
compare.py      the verb `compare`: results against results, or policy against policy
comparison.py   its answer, as text, JSON and Markdown
junit.py        the same as JUnit XML
side_by_side.py      plain tables for a terminal
study.py        what every study script does around its science: words of the call, cells in parallel, what is kept
abtest/         tests of policies on live customers: planned, assigned by hash, read at any time
export/         results for tools that others keep their experiments in
history/        what benchmarks found, commit by commit, and what changed when
statistics/     intervals of a difference over seeds, robust aggregates, and how many seeds it takes
"""

from campaignrl.suites.compare import FAIL_ON as FAIL_ON
from campaignrl.suites.comparison import Compared as Compared
from campaignrl.suites.comparison import Comparison as Comparison
from campaignrl.suites.judge import Pairing as Pairing
from campaignrl.suites.judge import judged as judged
from campaignrl.suites.junit import to_junit as to_junit
from campaignrl.suites.measure import evaluation_ids as evaluation_ids
from campaignrl.suites.measure import play as play
from campaignrl.suites.measure import trained as trained
from campaignrl.suites.measure_definitions import CONTRIBUTION as CONTRIBUTION
from campaignrl.suites.plan import ALPHA as ALPHA
from campaignrl.suites.plan import planned_detectable as planned_detectable
from campaignrl.suites.plan import planned_sentence as planned_sentence
from campaignrl.suites.results import Results as Results
from campaignrl.suites.results import read_results as read_results
from campaignrl.suites.run import benchmark as benchmark
from campaignrl.suites.study import kept as kept
from campaignrl.suites.study import read_between as read_between
from campaignrl.suites.study import run_cells as run_cells
from campaignrl.suites.study import run_study as run_study
from campaignrl.suites.study import study_words as study_words
from campaignrl.suites.study import write_between as write_between
from campaignrl.suites.study import write_files as write_files
from campaignrl.suites.suite import PolicyUse as PolicyUse
from campaignrl.suites.suite import Suite as Suite
from campaignrl.suites.suite import load_suite as load_suite
from campaignrl.suites.timings import read_timings as read_timings

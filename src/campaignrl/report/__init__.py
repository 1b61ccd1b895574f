"""What was found, for people: figures with intervals, pictures, pages.

html.py   The report as one HTML page that needs nothing but itself: no network, no script
facts/    The figures of a report
figures/  The pictures of a report (matplotlib)
pages/    The HTML pages
"""

from campaignrl.report.html import Gain as Gain
from campaignrl.report.html import ReportContent as ReportContent
from campaignrl.report.html import write_report as write_report

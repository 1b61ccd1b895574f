"""The HTML pages.

data_quality.py  The data-quality page: what came in, what stayed, what was refused and why, how complete the
                 columns are
sections.py      What stands in each part of the page, as plain records of texts, ready for the template
template.py      Templates of pages that need nothing but themselves, and the style they share
training.py      The report of a training: one HTML page, the picture as a PNG beside it, and the facts for JSON
"""

from campaignrl.report.pages.data_quality import quality_page as quality_page
from campaignrl.report.pages.template import style as style

"""The HTML pages.

data_quality.py  The data-quality page: what came in, what stayed, what was refused and why, how complete the
                 columns are
sections.py      What stands in each part of the page, as plain records of texts, ready for the template
template.py      Templates of pages that need nothing but themselves, and the style they share
training.py      The report of a training: one HTML page, the picture as a PNG beside it, and the facts for JSON
"""

"""The HTML pages.

content.py       Everything a report is made of. Not here: what is made of it (sections.py, captions.py)
data_quality.py  The data-quality page: what came in, what stayed, what was refused and why, how complete the
                 columns are
sections.py      What stands in each part of the page, as plain records of texts, ready for the template
svg_inline.py    An SVG file -> an <svg> element for a page: the page's colours and fonts, ids that clash with no
                 other picture
template.py      Templates of pages that need nothing but themselves, and the style they share
training.py      The report of a training: one HTML page, the picture as a PNG beside it, and the facts for JSON
"""

"""What was found, for people: figures with intervals, pictures, one page.

kpi.py       the figures a marketing team steers by, from simulated campaigns
ratio_intervals.py    their intervals
base.py   the pictures of the report; estimates.py  the picture of an experiment
lift_by_part.py  a lift by segment or wave
world.py  what a newcomer wants to know of a world; world.py  its picture and page
training.py  what a learner has learned; training.py  its picture; training.py  its page
channel_load.py      the load of channels over time
svg_inline.py    a picture as an element of the page, in the page's colours
wording.py     numbers and what they say
content.py   everything a report is made of
captions.py  which pictures it has
sections.py  what else stands in each part of the page
html.py      the page, written whole or not at all; page.html.j2  its layout
"""

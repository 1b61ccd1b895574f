"""What was found, for people: figures with intervals, pictures, one page.

kpi.py       the figures a marketing team steers by, from simulated campaigns
ratios.py    their intervals
figures.py   the pictures of the report; panels.py  the picture of an experiment
part_figures.py  a lift by segment or wave
world_facts.py  what a newcomer wants to know of a world; world_figures.py  its picture and page
training_facts.py  what a learner has learned; training_figures.py  its picture; training.py  its page
load.py      the load of channels over time
inline.py    a picture as an element of the page, in the page's colours
words.py     numbers and what they say
content.py   everything a report is made of
pictures.py  which pictures it has
sections.py  what else stands in each part of the page
html.py      the page, written whole or not at all; page.html.j2  its layout
"""

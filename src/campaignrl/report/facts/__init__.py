"""The figures of a report.

content.py          Everything a report is made of. Not here: what is made of it (sections.py, captions.py)
kpi.py              The figures a marketing team steers by, from simulated campaigns, each with a unit and a 95 %
                    interval
ratio_intervals.py  Rates and means with intervals from the spread between customers, who are independent. n
                    customers
training.py         What a learner has learned, as numbers: its curve, how it decides, what it sends to whom and why
wording.py          Figures in words: numbers with as many digits as they deserve, and what they say to a marketer
world.py            What a newcomer wants to know of a world, as numbers: customers, funnels, wear-out, and a
                    campaign of nothing
"""

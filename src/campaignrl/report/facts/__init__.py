"""The figures of a report.

kpi.py              The figures a marketing team steers by, from simulated campaigns, each with a unit and a 95 %
                    interval
ratio_intervals.py  Rates and means with intervals from the spread between customers, who are independent. n
                    customers
training.py         What a learner has learned, as numbers: its curve, how it decides, what it sends to whom and why
world.py            What a newcomer wants to know of a world, as numbers: customers, funnels, wear-out, and a
                    campaign of nothing
"""

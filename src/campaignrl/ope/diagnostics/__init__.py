"""What is wrong with a log or a question, and the verdict: trust, caution or refuse.

holdout.py  Is the holdout what was planned, and is what a policy learned on apart from what it is judged on?
verdict.py  Whether the log can answer at all: trust, caution or refuse, with reasons in plain words
"""

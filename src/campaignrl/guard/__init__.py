"""What may be sent at all. Never learned; deny by default.

budget.py  budget and capacity over a whole wave, with exact propensities
rules.py   consent, caps, eligibility, holdout: one mask, with a reason for every removed action
"""

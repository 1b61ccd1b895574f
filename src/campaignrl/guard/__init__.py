"""What may be sent at all. Never learned; deny by default.

rules.py  consent, caps, eligibility, holdout: one mask, with a reason for every removed action
"""

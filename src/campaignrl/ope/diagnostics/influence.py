"""What one row does to an estimate: a typing error of a reward, named with its row and what the value is without it.

The largest weight is not the largest influence: a reward of 60,000 among rewards of 30 moves the value at any weight.
Not here: heavy rows and customers by weight alone (verdict.py). n rows.
"""

from __future__ import annotations

from campaignrl.arrays import Float
from campaignrl.ope.diagnostics.verdict import Finding, Level
from campaignrl.tables.log import DecisionLog

ALONE = 0.9  # of all squared influence: one row that makes the rest of the spread look like nothing
ENOUGH = 30  # rows


def outlier(log: DecisionLog, terms: Float) -> tuple[Finding, ...]:
    """Said where one row is nearly all of an estimate's spread. terms: (n,) whose mean is the value."""
    n = len(terms)
    if n < ENOUGH:
        return ()
    value = float(terms.mean())
    gap = terms - value
    square, ends = float(gap @ gap), (int(terms.argmin()), int(terms.argmax()))
    worst = max(ends, key=lambda row: abs(float(gap[row])))
    if not gap[worst] ** 2 > ALONE * square or not square > 0.0:
        return ()
    without = (value * n - float(terms[worst])) / (n - 1)
    who = f"row {worst:,} (customer {log.customers[log.customer[worst]]}, reward {log.reward[worst]:.6g})"
    text = f"{who} by itself moves dr from {without:.4g} to {value:.4g}"
    return (Finding(Level.CAUTION, f"{text}: check that it is right; without it the value is {without:.4g}."),)

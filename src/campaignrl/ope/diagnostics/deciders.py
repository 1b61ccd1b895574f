"""How many customers decide a figure: where it is a handful, another log would have others, and another figure.

A sum that a few rare rows of heavy weight make up is not normal, whatever the effective sample size of the weights, and
an interval of it holds less often than it says (91 % of 95 over 3,000 rows of which 60 explored and three bought).
Not here: one row that is nearly all of it (influence.py), heavy weights (verdict.py).
"""

from __future__ import annotations

from campaignrl.ope.diagnostics.verdict import Finding, Level

FEW = 15.0  # customers; with margins of gamma sums and 10 to 15 who decide, 95 % intervals held 90 to 94 %


def deciders(value: float, difference: float, customers: int) -> tuple[Finding, ...]:
    """Said where few customers decide the value or the difference, whichever is worse."""
    count, what = min((value, "the value"), (difference, "the difference"))
    if not count < FEW or customers <= FEW:
        return ()
    text = f"about {max(round(count), 1)} of {customers:,} customers decide {what}"
    return (Finding(Level.CAUTION, f"{text}: their luck is in it, and the interval may hold less often than it says."),)

"""Did the arms get the shares they were meant to get? A test of the sample ratio that may be read every morning.

The Dirichlet-multinomial mixture is a martingale where the shares are right, so the chance that it ever reaches
1 / alpha is at most alpha, however often one looks (Lindon & Malek 2022, NeurIPS, "Anytime-valid inference for
multinomial count data"). A broken split loses customers of one arm, and then no difference means anything (Fabijan et
al. 2019, KDD). Not here: what follows (reading.py).
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from campaignrl.arrays import Float, Int64

ALARM = 0.001  # p value at or below which a split counts as broken
CONCENTRATION = 100.0  # of the mixture around the planned shares


def split_p_value(counts: Int64, shares: Float) -> float:
    """Anytime-valid p value of the planned shares. counts, shares: (k,) by arm; below ALARM the split is broken."""
    prior, n = CONCENTRATION * shares, float(counts.sum())
    mixed = gammaln(prior.sum()) - gammaln(prior.sum() + n) + (gammaln(prior + counts) - gammaln(prior)).sum()
    planned = float((counts * np.log(shares)).sum())
    return float(np.exp(min(planned - mixed, 0.0)))

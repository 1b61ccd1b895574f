"""Which arm of a test a customer is in: by hash of the salt and the id, so the same for ever, on every machine.

Nobody's arm hangs on who else is there, on the order, or on when they came; tests with different salts are independent
of each other and of the guard's holdout. Not here: the shares (trial.py), whether they came out right (split_check.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Int, Int64
from campaignrl.policies import arm_numbers
from campaignrl.rng import customer_keys
from campaignrl.suites.abtest.trial import Trial


def arms_of(trial: Trial, ids: Int | Sequence[str] | npt.NDArray[np.object_]) -> Int64:
    """(n,) number of each customer's arm, in the order of `trial.arms`."""
    return arm_numbers(customer_keys(ids), trial.salt, tuple(trial.arms.values()))

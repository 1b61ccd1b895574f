"""What a policy is, as a hash of its content: its kind, its settings, its learned numbers.

Not here: the hash of a world (specs/content_hash.py), of the catalog that a bundle is bound to (actions.py).
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.policies.base import Policy
from campaignrl.specs import digest


def policy_hash(policy: Policy) -> str:
    """32 hex digits; equal hashes, equal decisions.

    A kind whose tensors hold rows to learn on from says what decides by a method `deciding_tensors`.
    """
    tensors = getattr(policy, "deciding_tensors", policy.tensors)()
    arrays = {n: [str(a.dtype), list(a.shape), _bytes_hash(a)] for n, a in sorted(tensors.items())}
    return digest([policy.kind, policy.settings(), arrays])


def _bytes_hash(array: npt.NDArray[Any]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()

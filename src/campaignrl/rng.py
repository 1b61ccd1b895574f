"""Counter-based draws: the only place where chance is made.

A draw is a hash of (seed, customer, day, purpose, k). So results do not depend on batch size, thread count,
worker count or row order; two policies that meet the same customer share their luck; and a world can be
replayed. Here: keys, uniforms, normals, exponentials. Not here: what a draw decides (dynamics/, policies/).

Mixing: the 64-bit finaliser of SplitMix64 (Steele, Lea & Flood 2014, "Fast Splittable Pseudorandom Number
Generators", OOPSLA) with the constants of its variant 13. One hash gives two draws: its upper and its lower
32 bits, of which a float32 uniform keeps the top 24.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Float32, UInt64

_GOLDEN = 0x9E3779B97F4A7C15
_INT1, _INT2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MUL1, _MUL2 = np.uint64(_INT1), np.uint64(_INT2)
_UNMUL1, _UNMUL2 = (np.uint64(pow(int(m), -1, 1 << 64)) for m in (_MUL1, _MUL2))  # their inverses modulo 2^64
_S30, _S27, _S31, _S40 = (np.uint64(s) for s in (30, 27, 31, 40))
_S8 = np.uint32(8)
_MASK64 = (1 << 64) - 1
_INV24, _TURN = np.float32(2.0**-24), np.float32(2.0 * np.pi * 2.0**-32)
_HALF, _MINUS_TWO = np.float32(0.5), np.float32(-2.0)

AT_ONCE = 1_000  # texts; fewer are not worth the import that makes many fast
FEW = 12  # keys that are hashed one by one sooner than by a dozen calls for all


class Purpose(IntEnum):
    """What a draw is for. Numbers are part of the format: append, never renumber."""

    PROFILE = 1  # latent traits and demographics at the start
    HISTORY = 2  # what happened before day 0
    TAG = 3  # noise and gaps of observed tags
    ACTION = 4  # which action a policy takes
    FUNNEL = 5  # deliver, open, click, unsubscribe
    PURCHASE = 6  # buy, redeem, drop out
    BASKET = 7  # order value
    HOLDOUT = 8  # who is never contacted
    FOLD = 9  # cross-fitting folds, by customer
    POSTERIOR = 10  # posterior draws of a learner
    RESAMPLE = 11  # bootstrap weights, splits
    THROTTLE = 12  # who is served first when a budget or a channel is too small
    CLOCK = 13  # when things happen within a day, and how long they take
    POPULATION = 14  # customers drawn from segments
    VISIT = 15  # visits of one's own accord
    LEARNING = 16  # weights to begin with, exploration and minibatches of a deep learner
    DRIFT = 17  # random walks of a world that changes
    ALLOCATION = 18  # who explores beside a plan by value, and whose turn it is among equals
    TRIAL = 19  # which arm of an A/B test a customer is in


def mix(x: UInt64, out: UInt64 | None = None) -> UInt64:
    """SplitMix64 finaliser (variant 13) of each element; writes into `out`, which may be `x`, if given."""
    y = np.empty_like(x) if out is None else out
    shifted = np.right_shift(x, _S30)
    np.bitwise_xor(x, shifted, out=y)
    np.multiply(y, _MUL1, out=y)
    for shift, factor in ((_S27, _MUL2), (_S31, None)):
        np.right_shift(y, shift, out=shifted)
        np.bitwise_xor(y, shifted, out=y)
        if factor is not None:
            np.multiply(y, factor, out=y)
    return y


def _mix_int(x: int) -> int:
    x &= _MASK64
    x = ((x ^ (x >> 30)) * _INT1) & _MASK64
    x = ((x ^ (x >> 27)) * _INT2) & _MASK64
    return x ^ (x >> 31)


def customer_keys(ids: npt.NDArray[np.integer] | Sequence[str] | npt.NDArray[np.object_]) -> UInt64:
    """A 64-bit key per customer, the same in every process and version.

    ids: whole numbers, or texts. A text that is the plain decimal form of a whole number ("17", not "007")
    has the key of that number, so a simulated customer keeps its luck and its holdout arm in tables.
    """
    array = np.asarray(ids)
    if array.dtype.kind in "iu":
        return mix(array.astype(np.uint64) + np.uint64(_GOLDEN))
    if len(array) < AT_ONCE:
        return np.fromiter((_text_key(str(i)) for i in ids), dtype=np.uint64, count=len(array))
    return _text_keys([str(i) for i in ids])


def _text_keys(ids: list[str]) -> UInt64:
    """`_text_key` of many, numbers all at once."""
    import pyarrow as pa  # slow to import, and only big tables of text need it
    import pyarrow.compute as pc

    texts = pa.array(ids, pa.string())
    mask = pc.match_substring_regex(texts, r"\A(0|[1-9][0-9]{0,18})\z")  # nineteen digits always fit 64 bits
    numbers, plain = texts.filter(mask).cast(pa.uint64()).to_numpy(), mask.to_numpy(zero_copy_only=False)
    keys = np.empty(len(ids), dtype=np.uint64)
    keys[plain] = mix(numbers + np.uint64(_GOLDEN))
    others = [ids[i] for i in np.flatnonzero(~plain)]
    if any(map(str.isdigit, others)):  # numbers of twenty digits, of which some fit 64 bits
        keys[~plain] = [_text_key(text) for text in others]
    elif others:
        hashed = b"".join([hashlib.blake2b(text.encode(), digest_size=8).digest() for text in others])
        keys[~plain] = np.frombuffer(hashed, dtype="<u8")
    return keys


def _text_key(text: str) -> int:
    plain = text.isascii() and text.isdigit() and len(text) <= 20 and (text[0] != "0" or text == "0")
    if plain and int(text) <= _MASK64:
        return _mix_int(int(text) + _GOLDEN)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def texts_of(keys: UInt64) -> npt.NDArray[np.object_]:
    """(n,) texts whose `customer_keys` these are: plain whole numbers, for an id that was one that very id."""
    y = np.array(keys, dtype=np.uint64)
    y ^= (y >> np.uint64(31)) ^ (y >> np.uint64(62))
    y *= _UNMUL2
    y ^= (y >> np.uint64(27)) ^ (y >> np.uint64(54))
    y *= _UNMUL1
    y ^= (y >> np.uint64(30)) ^ (y >> np.uint64(60))
    y -= np.uint64(_GOLDEN)
    return y.astype(str).astype(object)


@lru_cache(maxsize=8_192)  # blocks of customers and later episodes ask for the same streams again
def stream(seed: int, day: int, purpose: Purpose, k: int = 0) -> np.uint64:
    """The 64-bit number of one stream of draws: each part picks an output of the SplitMix64 that the last one seeded.

    The order of the parts counts, so that day 2 of seed 1 is not day 1 of seed 2.
    """
    h = 0
    for part in (seed, day, int(purpose), k):
        h = _mix_int(h + (part + 1) * _GOLDEN)
    return np.uint64(h)


@lru_cache(maxsize=8_192)
def _streams(seed: int, day: int, purpose: Purpose, first: int, count: int) -> UInt64:
    """(count, 1) streams from k = first on."""
    return np.array([[stream(seed, day, purpose, first + k)] for k in range(count)], dtype=np.uint64)


def hashes(keys: UInt64, seed: int, day: int, purpose: Purpose, count: int, first: int = 0) -> UInt64:
    """(count, n) 64 hashed bits of each customer, k = first .. first + count - 1."""
    x = np.bitwise_xor(keys, _streams(seed, day, purpose, first, count))
    return mix(x, out=x)


def upper(h: UInt64) -> Float32:
    """Of the same shape, float32 uniforms in [0, 1) from the upper half of each hash."""
    return _uniforms_of(np.right_shift(h, _S40).astype(np.uint32))


def lower(h: UInt64) -> Float32:
    """Of the same shape, float32 uniforms in [0, 1) from the lower half of each hash."""
    half = h.astype(np.uint32)
    return _uniforms_of(np.right_shift(half, _S8, out=half))


def _uniforms_of(bits: npt.NDArray[np.uint32]) -> Float32:
    u = bits.view(np.int32).astype(np.float32)  # 24 bits: signed numbers are converted faster
    return np.multiply(u, _INV24, out=u)


def uniforms(keys: UInt64, seed: int, day: int, purpose: Purpose, count: int) -> list[Float32]:
    """`count` arrays (n,) of float32 uniforms in [0, 1), independent of each other.

    Number 2 k is `upper`, number 2 k + 1 `lower` of hash k; who needs one for few customers makes it of their hashes.
    """
    h = hashes(keys, seed, day, purpose, (count + 1) // 2)
    return [lower(h[k // 2]) if k % 2 else upper(h[k // 2]) for k in range(count)]


def uniform(keys: UInt64, seed: int, day: int, purpose: Purpose, k: int = 0) -> Float:
    """One array (n,) of float64 uniforms in [0, 1) with 53 bits; its own streams, apart from `uniforms`."""
    if len(keys) <= FEW:
        of = int(stream(seed, day, purpose, k + (1 << 32)))
        return np.array([(_mix_int(key ^ of) >> 11) * 2.0**-53 for key in keys.tolist()], dtype=np.float64)
    (h,) = hashes(keys, seed, day, purpose, 1, k + (1 << 32))
    result: Float = (h >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return result


def normals(keys: UInt64, seed: int, day: int, purpose: Purpose, count: int) -> list[Float32]:
    """`count` arrays (n,) of float32 standard normals (Box & Muller 1958); up to 5.9 in size."""
    result: list[Float32] = []
    for pair in range((count + 1) // 2):
        (h,) = hashes(keys, seed, day, purpose, 1, pair + (1 << 33))
        u = (h >> _S40).astype(np.uint32).astype(np.float32)
        radius = np.sqrt(_MINUS_TWO * np.log((u + _HALF) * _INV24))
        angle = h.astype(np.uint32).astype(np.float32) * _TURN
        result.append(radius * np.cos(angle))
        if len(result) < count:
            result.append(radius * np.sin(angle))
    return result


def generator(seed: int, purpose: Purpose, k: int = 0) -> np.random.Generator:
    """A numpy Generator for code that needs one handed down (posterior draws, libraries)."""
    return np.random.default_rng(np.random.SeedSequence([int(stream(seed, 0, purpose, k))]))

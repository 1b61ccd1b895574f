"""Draws: uniform, independent across every part of the key, the same in any batch, and fixed for good."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from campaignrl import rng
from campaignrl.rng import Purpose

N = 40_000
KEYS = rng.customer_keys(np.arange(N))


def all_draws(keys, seed, day):
    """Every form of draw, by name, as uniforms: normals through their distribution function."""
    fast = rng.uniforms(keys, seed, day, Purpose.FUNNEL, 4)
    normal = rng.normals(keys, seed, day, Purpose.BASKET, 2)
    return {
        **{f"uniforms {k}": u.astype(np.float64) for k, u in enumerate(fast)},
        **{f"uniform {k}": rng.uniform(keys, seed, day, Purpose.ACTION, k) for k in range(3)},
        **{f"normal {k}": stats.norm.cdf(z) for k, z in enumerate(normal)},
    }


@pytest.mark.parametrize("name", sorted(all_draws(KEYS[:2], 0, 0)))
@pytest.mark.parametrize(("seed", "day"), [(0, 0), (7, 3)])
def test_every_draw_is_uniform(name, seed, day):
    u = all_draws(KEYS, seed, day)[name]
    assert 0.0 <= u.min() <= u.max() <= 1.0
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert stats.chisquare(np.bincount((u * 64).astype(int).clip(0, 63), minlength=64)).pvalue > 1e-3


def test_low_bits_of_a_draw_are_as_random_as_its_high_ones():
    fine = (rng.uniform(KEYS, 1, 2, Purpose.ACTION) * 2.0**53).astype(np.uint64)
    coarse = (rng.uniforms(KEYS, 1, 2, Purpose.FUNNEL, 1)[0].astype(np.float64) * 2.0**24).astype(np.uint64)
    for bits in (fine, coarse):
        assert stats.chisquare(np.bincount((bits & np.uint64(15)).astype(int), minlength=16)).pvalue > 1e-3


@pytest.mark.parametrize("everywhere", [0, 2**64 - 1])
def test_the_most_extreme_hashes_give_uniforms_below_one_and_finite_normals(monkeypatch, everywhere):
    extreme = lambda keys, seed, day, purpose, count, first=0: np.full((count, len(keys)), everywhere, np.uint64)  # noqa: E731
    monkeypatch.setattr(rng, "hashes", extreme)
    draws = [*rng.uniforms(KEYS[:99], 0, 0, Purpose.TAG, 2), rng.uniform(KEYS[:99], 0, 0, Purpose.TAG)]
    assert all(0.0 <= float(u[0]) < 1.0 for u in draws)
    assert all(np.isfinite(z[0]) for z in rng.normals(KEYS[:1], 0, 0, Purpose.TAG, 2))


def test_a_customer_draws_the_same_alone_as_among_many():
    keys = np.append(KEYS[:200], np.uint64(2**64 - 1))
    many = rng.uniform(keys, 2**40, 20_000, Purpose.ACTION, 3)
    for size in (1, 2, rng.FEW, rng.FEW + 1):
        parts = [rng.uniform(keys[i : i + size], 2**40, 20_000, Purpose.ACTION, 3) for i in range(0, len(keys), size)]
        assert np.concatenate(parts).tobytes() == many.tobytes()


def test_normals_have_the_moments_of_a_standard_normal():
    z = np.concatenate(rng.normals(KEYS, 5, 1, Purpose.BASKET, 6)).astype(np.float64)
    error = 1.0 / np.sqrt(len(z))
    assert abs(z.mean()) < 4 * error
    assert abs(z.var() - 1.0) < 4 * np.sqrt(2) * error
    assert abs(stats.skew(z)) < 4 * np.sqrt(6) * error
    assert abs(stats.kurtosis(z)) < 4 * np.sqrt(24) * error
    assert np.abs(z).max() < 5.9


STREAMS = [
    (seed, day, purpose, k)
    for seed, day, purpose, k in itertools.product((0, 1, 2), (0, 1, 2), (Purpose.PROFILE, Purpose.ACTION), (0, 1))
]


def test_streams_that_differ_in_seed_day_purpose_or_k_are_uncorrelated():
    draws = np.array([rng.uniform(KEYS, *stream) for stream in STREAMS])
    draws = np.vstack([draws, *(rng.uniforms(KEYS, 0, d, Purpose.FUNNEL, 4) for d in (0, 1))])
    r = np.corrcoef(draws)[np.triu_indices(len(draws), 1)]
    assert np.abs(r).max() * np.sqrt(N) < 5.0  # the largest of some 500 standard normals
    assert (r**2).sum() * N == pytest.approx(len(r), abs=5 * np.sqrt(2 * len(r)))


@pytest.mark.parametrize(
    "ids",
    [np.arange(40), 2 ** np.arange(40), np.arange(40) * 1000, [f"c{i}" for i in range(40)]],
    ids=["consecutive", "one bit apart", "thousands", "text"],
)
def test_customers_are_uncorrelated(ids):
    keys, days = rng.customer_keys(ids), 3000
    draws = np.array([rng.uniforms(keys, 4, day, Purpose.PURCHASE, 1)[0] for day in range(days)])
    r = np.corrcoef(draws.T)[np.triu_indices(len(ids), 1)]
    assert np.abs(r).max() * np.sqrt(days) < 5.0
    lagged = np.array([np.corrcoef(draws[1:, i], draws[:-1, i])[0, 1] for i in range(len(ids))])
    assert np.abs(lagged).max() * np.sqrt(days) < 5.0


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 2), (2, 3), (0, 3)])
def test_numbers_of_one_call_are_independent_of_each_other(a, b):
    u = rng.uniforms(KEYS, 0, 0, Purpose.FUNNEL, 4)
    cells = (u[a] * 16).astype(int) * 16 + (u[b] * 16).astype(int)
    assert stats.chisquare(np.bincount(cells, minlength=256)).pvalue > 1e-3


def test_no_stream_is_another_one_shifted_or_overlapping():
    # With 53 bits, 24 streams of 40,000 draws have about 5e-5 chance of even one number in common.
    draws = [rng.uniform(KEYS, *stream) for stream in STREAMS]
    everything = np.concatenate(draws)
    assert len(np.unique(everything)) == len(everything)


def test_no_two_parts_of_a_key_can_change_places():
    # Seed 1 on day 2 is not seed 2 on day 1, and a seed is no special day.
    parts = range(-2, 12)
    streams = {rng.stream(s, d, Purpose(p), k) for s in parts for d in parts for p in range(1, 12) for k in range(12)}
    assert len(streams) == len(parts) ** 2 * 11 * 12


def test_flipping_one_bit_of_a_key_flips_half_of_the_bits():
    x = rng.mix(KEYS[:2000])
    for bit in range(0, 64, 7):
        flipped = rng.mix(KEYS[:2000] ^ np.uint64(1 << bit))
        share = np.bitwise_count(x ^ flipped).astype(float) / 64
        assert share.mean() == pytest.approx(0.5, abs=0.01)


@given(st.permutations(range(12)), st.integers(0, 12), st.integers(-3, 2**63), st.integers(-900, 9000))
@settings(max_examples=40, deadline=None)
def test_a_customer_has_the_same_luck_in_any_batch_and_order(order, cut, seed, day):
    keys = KEYS[:12]
    whole = np.array([*all_draws(keys, seed, day).values()])
    shuffled = keys[order]
    parts = [all_draws(part, seed, day) for part in (shuffled[:cut], shuffled[cut:])]
    apart = np.array([np.concatenate([p[name] for p in parts]) for name in parts[0]])
    assert np.array_equal(apart, whole[:, order])


@pytest.mark.parametrize("draw", [rng.uniforms, rng.normals])
def test_asking_for_more_numbers_changes_none_of_the_first(draw):
    few, many = draw(KEYS[:50], 1, 2, Purpose.FUNNEL, 3), draw(KEYS[:50], 1, 2, Purpose.FUNNEL, 7)
    assert [len(few), len(many)] == [3, 7]
    assert all(np.array_equal(a, b) for a, b in zip(few, many[:3], strict=True))


def test_no_customers_have_no_draws():
    none = KEYS[:0]
    assert len(rng.customer_keys([])) == len(rng.uniform(none, 0, 0, Purpose.TAG)) == 0
    assert [len(u) for u in rng.uniforms(none, 0, 0, Purpose.TAG, 2)] == [0, 0]


# ---- keys


@given(st.integers(0, 2**64 - 1))
@settings(max_examples=200, deadline=None)
def test_a_number_written_as_text_has_the_key_of_the_number(number):
    assert rng.customer_keys([str(number)])[0] == rng.customer_keys(np.array([number], dtype=np.uint64))[0]


@pytest.mark.parametrize("text", ["007", "17 ", " 17", "+17", "-17", "17.0", "1e1", "１７", "", "17\0", "0x11"])
def test_other_ways_to_write_a_number_are_other_customers(text):
    numbers = rng.customer_keys(np.array([7, 17, 10]))
    assert rng.customer_keys([text])[0] not in numbers


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64", "O"])
def test_the_type_of_a_number_does_not_matter(kind):
    assert np.array_equal(rng.customer_keys(np.array([0, 1, 127]).astype(kind)), KEYS[[0, 1, 127]])


def test_ids_of_any_alphabet_have_keys_of_their_own():
    ids = ["é", "e\u0301", "顾客", "🙂", "a" * 10_000, "a" * 9_999, "A", "a", "007", "07", "7", "-5", str(2**64)]
    assert len(set(rng.customer_keys(ids))) == len(ids)
    assert np.array_equal(rng.customer_keys(np.array(ids, dtype=object)), rng.customer_keys(ids))


def test_keys_do_not_collide():
    assert len(np.unique(rng.customer_keys(np.arange(300_000)))) == 300_000


# ---- the format: these numbers never change, or logs, holdouts and worlds of the past could not be replayed


def test_keys_are_splitmix64():
    # Vigna's reference implementation, first outputs from seed 0.
    golden = np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert [hex(x) for x in rng.mix(golden)] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]
    assert hex(rng.customer_keys([0])[0]) == "0xe220a8397b1dcdaf"


def test_the_format_of_keys_is_fixed():
    assert [hex(x) for x in KEYS[1:4]] == ["0x910a2dec89025cc1", "0x975835de1c9756ce", "0x1d0b14e4db018fed"]
    texts = {"007": "0xbd81ecfc21802a49", "顾客": "0x65534dd09ef4b657", "🙂": "0xb797a272450a10b9"}
    assert {text: hex(rng.customer_keys([text])[0]) for text in texts} == texts


def test_the_format_of_draws_is_fixed():
    keys = KEYS[:4]
    assert rng.stream(7, 3, Purpose.FUNNEL) == 0x49C4D5C04FE27B38
    assert rng.stream(-1, -5, Purpose.ACTION, 2) == 0xB52E53D101BA356B
    assert [float(u[0]) for u in rng.uniforms(keys, 7, 3, Purpose.FUNNEL, 3)] == [
        0.2997957468032837,
        0.01889091730117798,
        0.2699432373046875,
    ]
    exact = [float(u).hex() for u in rng.uniform(keys, 7, 3, Purpose.ACTION)]
    assert exact == ["0x1.d6e7fb9d4522cp-2", "0x1.0d2744b1a86f3p-1", "0x1.76ac4fd861bf0p-4", "0x1.41ac621fd821ap-2"]
    first, second = rng.normals(keys, 7, 3, Purpose.BASKET, 2)
    assert first == pytest.approx([-1.3031715, -1.3092481, 0.8178113, 0.3428516], abs=1e-6)
    assert second == pytest.approx([-0.1530883, 0.1637793, 0.2224677, -0.4938814], abs=1e-6)
    assert rng.generator(7, Purpose.POSTERIOR, 1).integers(0, 2**63, 2).tolist() == [
        1521618172758184798,
        3053897722902457039,
    ]


def test_purposes_keep_their_numbers():
    names = [
        "PROFILE",
        "HISTORY",
        "TAG",
        "ACTION",
        "FUNNEL",
        "PURCHASE",
        "BASKET",
        "HOLDOUT",
        "FOLD",
        "POSTERIOR",
        "RESAMPLE",
    ]
    assert [p.name for p in Purpose][: len(names)] == names
    assert [int(p) for p in Purpose] == list(range(1, len(Purpose) + 1))


def test_many_texts_have_the_keys_that_they_have_one_by_one():
    odd = ["007", "0", "", "1e5", "-3", " 17", "17\n", "１７", "é", "9" * 19, "9" * 20, "18446744073709551615", "😀"]
    ids = odd + [str(i) for i in range(rng.AT_ONCE)] + [f"m{i}" for i in range(50)]
    assert np.array_equal(rng.customer_keys(ids), [rng.customer_keys([text])[0] for text in ids])

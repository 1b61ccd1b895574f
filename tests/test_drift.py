"""Drift: indices by hand, intervals that hold what they promise, sentences that say who moved."""

import numpy as np
import pandas as pd
import pytest

from campaignrl.errors import DataError
from campaignrl.profiles.segments.drift import drift, psi, share_change
from campaignrl.profiles.segments.segments import fit_segments
from campaignrl.profiles.segments.spec import segment_spec


def frame(ids, **columns):
    return pd.DataFrame({"customer_id": [str(i) for i in ids], **columns})


def by_rule(table):
    rules = {"often": {"when": "orders >= 5"}, "some": {"when": "orders >= 2"}}
    spec = segment_spec({"method": "rules", "segments": rules, "rest": "once"})
    return fit_segments(table, spec, np.random.default_rng(0))


def test_psi_by_hand():
    index, chance = psi(np.array([50, 50]), np.array([80, 20]))
    assert index == pytest.approx(0.3 * np.log(1.6) - 0.3 * np.log(0.4))
    assert chance == pytest.approx(0.02 * 6.6349, rel=1e-3)  # chi-squared, one degree, 99 %
    assert psi(np.array([10, 0]), np.array([10, 0]))[0] == 0.0
    assert np.isfinite(psi(np.array([10, 0]), np.array([0, 10]))[0])


def test_psi_of_two_samples_of_one_population_is_beyond_chance_once_in_a_hundred():
    chance = np.random.default_rng(0)
    p = np.full(10, 0.1)
    over = [np.greater(*psi(chance.multinomial(800, p), chance.multinomial(500, p))) for _ in range(2000)]
    assert 0.004 < np.mean(over) < 0.02


def test_migration_counts_those_who_moved_came_and_went():
    before = frame([1, 2, 3, 4], orders=[1, 2, 5, 9])
    after = frame([2, 3, 4, 5], orders=[2, 1, 9, 1])
    found = drift(before, after, by_rule(before))
    assert found.names == ("often", "some", "once")
    assert found.migration.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert found.gone.tolist() == [0, 0, 1]
    assert found.new.tolist() == [0, 0, 1]
    often = found.shares[0]
    assert (often.before, often.after) == (0.5, 0.25)
    assert "often: 50.0 % -> 25.0 % of customers (-25.0 points" in often.says
    assert "most who left are now once (1)" in often.says


def test_nothing_changed_between_a_table_and_itself():
    chance = np.random.default_rng(1)
    table = frame(range(500), orders=chance.poisson(3, 500), region=chance.choice(["a", "b"], 500))
    found = drift(table, table.sample(frac=1.0, random_state=0), by_rule(table))
    assert not any(tag.changed for tag in found.tags)
    assert [tag.psi for tag in found.tags] == [0.0, 0.0]
    assert not any(share.changed for share in found.shares)
    assert np.trace(found.migration) == 500


def test_a_shift_is_found_and_told_in_a_sentence():
    chance = np.random.default_rng(2)
    before = frame(range(800), orders=chance.poisson(3, 800), steady=chance.normal(size=800))
    after = frame(range(800), orders=chance.poisson(6, 800), steady=chance.normal(size=800))
    orders, steady = drift(before, after, by_rule(before)).tags
    assert orders.changed
    assert orders.says.startswith("orders: a large change (PSI ")
    assert orders.says.endswith("median 3 -> 6)")
    assert not steady.changed
    assert "no change beyond chance" in steady.says


@pytest.mark.parametrize("overlap", [0, 300, 400])
def test_the_interval_of_a_share_covers_the_truth(overlap):
    chance = np.random.default_rng(4)
    n, hits, truth = 400, 0, 0.35 * 0.8 + 0.65 * 0.1 - 0.35
    for _ in range(400):
        first = chance.random(n) < 0.35
        kept = first[:overlap]
        second = np.concatenate([kept, chance.random(n - overlap) < 0.35])
        moved = np.where(second, chance.random(n) < 0.8, chance.random(n) < 0.1)
        migration = np.zeros((2, 2), dtype=np.int64)
        np.add.at(migration, (kept.astype(int), moved[:overlap].astype(int)), 1)
        low, high = share_change([np.bincount(x, minlength=2) for x in (first, moved)], migration, 1)
        hits += low <= truth <= high
    assert 0.92 <= hits / 400 <= 0.985


def test_tags_of_the_segmentation_are_needed_at_both_dates():
    before = frame([1, 2, 3], orders=[1, 2, 5])
    with pytest.raises(DataError, match="'order'"):
        drift(before, before.rename(columns={"orders": "order"}), by_rule(before))


def test_new_levels_and_gaps_count_as_a_bin_of_their_own():
    before = frame(range(200), orders=[1.0] * 200, region=["a", "b"] * 100)
    after = frame(range(200), orders=[np.nan] * 100 + [1.0] * 100, region=["a", "c"] * 100)
    orders, region = drift(before, after, by_rule(before)).tags
    assert orders.changed
    assert region.changed
    assert "50.0 %" in region.says

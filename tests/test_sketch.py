"""Whether a policy is judged on customers it has learned from: the sketch of a log, in a bundle, and in a verdict."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from campaignrl.campaign import simulate
from campaignrl.cli import main as cli
from campaignrl.errors import ArtifactError
from campaignrl.policies.bundle import load_bundle, read_manifest, save_bundle
from campaignrl.specs.world import load_world
from campaignrl.tables.log.customer_sketch import FACT, KEPT, CustomerSketch, sketch_of
from campaignrl.tables.log.files import write_log
from campaignrl.tables.log.split import split_by_customer
from campaignrl.training import train


@pytest.fixture(scope="module")
def world():
    return load_world("coupon_trap", horizon=10)


@pytest.fixture(scope="module")
def log(world):
    return simulate(world, "uniform", customers=1500, seed=1)


@pytest.fixture
def said(monkeypatch, capsys):
    """A command's exit code and its JSON."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["campaignrl", *(str(word) for word in words), "--json"])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out = capsys.readouterr().out
        return int(end.value.code or 0), json.loads(out) if out else None

    return call


def test_a_log_shares_all_customers_with_itself_and_none_with_the_other_half(log):
    first, second = split_by_customer(log)
    sketch = sketch_of(first)
    assert len(sketch.least) == KEPT
    assert not sketch.complete
    assert sketch.share_of(first) == 1.0
    assert sketch.share_of(second) == 0.0
    assert 0.35 < sketch.share_of(log) < 0.65  # half of 1,500, told by about 512 keys: 5 sd are 0.11


def test_few_customers_are_all_kept(log):
    few = log.take(log.customer < 40)
    sketch = sketch_of(few)
    assert sketch.complete
    assert len(sketch.least) == 40
    assert sketch.share_of(log) == 40 / 1500


def test_customers_of_another_seed_are_others_though_ids_are_the_same(world, log):
    other = simulate(world, "uniform", customers=1500, seed=2)
    assert set(other.customers) == set(log.customers)
    assert sketch_of(log).share_of(other) == 0.0


def test_later_decisions_of_the_same_customers_are_fine(log):
    early, late = log.take(log.day < 1), log.take(log.day >= 9)
    assert sketch_of(early).closed < 9
    assert sketch_of(early).share_of(late) == 0.0
    assert sketch_of(early).share_of(log.take(log.day == sketch_of(early).closed)) == 1.0


def test_only_rows_with_a_known_outcome_count(log):
    hidden = replace(log, matured=log.matured & (log.customer >= 100))
    assert sketch_of(hidden).share_of(log.take(log.customer < 100)) == 0.0


def test_joined_sketches_are_the_sketch_of_both(log):
    for share in (0.02, 0.5):
        first, second = split_by_customer(log, share)
        joined = sketch_of(first).joined(sketch_of(second))
        assert joined.to_dict() == sketch_of(log).to_dict()


def test_it_travels_as_json_and_the_same_log_gives_the_same(log):
    sketch = sketch_of(log)
    back = CustomerSketch.from_dict(json.loads(json.dumps(sketch.to_dict())), "b")
    assert np.array_equal(back.least, sketch.least)
    assert back[1:] == sketch[1:]
    assert not back.least.flags.writeable  # the same array serves whoever reads these keys again
    shuffled = log.take(np.random.default_rng(0).permutation(len(log)))
    assert sketch_of(shuffled).to_dict() == sketch.to_dict()


@pytest.mark.parametrize(
    "wrong",
    [
        3,
        {},
        {"least": 5, "complete": True, "closed": 1},
        {"least": "xyz", "complete": True, "closed": 1},
        {"least": "f" * 32, "complete": True, "closed": 1},
        {"least": "", "complete": "no", "closed": 1},
        {"least": "", "complete": False, "closed": 1},
        {"least": "", "complete": True, "closed": True},
        {"least": "0" * 16, "complete": False, "closed": 1},
        {"least": "-" + "0" * 14 + "1", "complete": True, "closed": 1},
    ],
)
def test_a_damaged_sketch_is_refused(wrong):
    with pytest.raises(ArtifactError, match="customer_sketch"):
        CustomerSketch.from_dict(wrong, "some.bundle")


def test_a_policy_judged_on_what_it_learned_from_is_told(log, tmp_path, said):
    learned, fresh, bundle = tmp_path / "learned.parquet", tmp_path / "fresh.parquet", tmp_path / "p.bundle"
    first, second = split_by_customer(log)
    write_log(first, learned)
    write_log(second, fresh)
    code, answer = said("train", "dr_greedy", "--log", learned, "-o", bundle)
    assert code == 0
    assert FACT not in answer
    seen = said("evaluate", learned, "--policy", bundle)[1]
    assert any("learned from these very customers" in reason for reason in seen["reasons"])
    assert seen["verdict"] != "trust"
    unseen = said("evaluate", fresh, "--policy", bundle)[1]
    assert not any("learned from" in reason for reason in unseen["reasons"])
    pieces = said("evaluate", learned, "--policy", bundle, "--stream")[1]
    assert any("learned from these customers is not checked" in reason for reason in pieces["reasons"])
    content = bundle.read_bytes()
    said("train", "dr_greedy", "--log", learned, "-o", bundle)
    assert bundle.read_bytes() == content


def test_whom_it_learned_from_before_is_not_forgotten(log, tmp_path, said):
    parts = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for part, path in zip(split_by_customer(log), parts, strict=True):
        write_log(part, path)
    first, both = tmp_path / "first.bundle", tmp_path / "both.bundle"
    assert said("train", "lin_ts", "--log", parts[0], "-o", first)[0] == 0
    assert said("train", first, "--log", parts[1], "-o", both)[0] == 0
    for path in parts:
        reasons = said("evaluate", path, "--policy", both)[1]["reasons"]
        assert any("learned from these very customers" in reason for reason in reasons)


def test_a_bundle_without_a_sketch_loads_and_is_silent(log, tmp_path, said):
    path, bundle = tmp_path / "log.parquet", tmp_path / "old.bundle"
    write_log(log, path)
    save_bundle(train("dr_greedy", log), bundle, {"log": "log.parquet"})
    assert FACT not in read_manifest(bundle)["trained_on"]
    load_bundle(bundle)
    reasons = said("evaluate", path, "--policy", bundle)[1]["reasons"]
    assert not any("learned from" in reason for reason in reasons)


def test_two_cut_sketches_keep_what_both_would_have_kept():
    """Above the lesser of their ends one of them has forgotten keys, so those of the other are no sample."""
    a, b = (
        CustomerSketch(np.array(keys, dtype=np.uint64), False, day) for keys, day in (([1, 5, 9], 3), ([2, 3, 4], 7))
    )
    for found in (a.joined(b), b.joined(a)):
        assert (found.least.tolist(), found.complete, found.closed) == ([1, 2, 3, 4], False, 7)

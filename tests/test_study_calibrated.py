"""The study of calibrated worlds: what it says of figures, and a real test's half, small."""

import runpy
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def study():
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(ROOT / "experiments"))
        yield runpy.run_path(str(ROOT / "experiments" / "calibrated_worlds.py"))


def row(policy, lift, gain, verdict="trust"):
    return {"policy": policy, "taught": "-", "value": [1.0, 0.9, 1.1], "lift": lift, "gain": gain, "verdict": verdict}


def test_what_follows_is_read_off_the_intervals(study):
    rows = [row("none", [0, 0, 0], [0, 0, 0]), row("rollout", [0.1, 0.05, 0.2], [0.1, -0.1, 0.3])]
    found = {"shop": {"rows": rows}}
    assert study["conclusion"](found) == (
        "shop: rollout, taught in it, is above the best fixed offer and not told apart from nothing sent."
    )
    rows[1]["lift"] = [-0.2, -0.3, -0.1]
    assert "is below the best fixed offer" in study["conclusion"](found)


def test_a_figure_that_is_refused_is_said_to_be(study):
    nan = [float("nan")] * 3
    text = study["document"]({"shop": {"rows": [row("rollout", nan, [0.1, 0.0, 0.2], "refuse")]}})
    assert "| 1.000 [0.900, 1.100] | refused | 0.100 [0.000, 0.200] | refuse |" in text


@pytest.mark.slow
def test_hillstrom_s_halves_share_no_customer_and_its_groups_are_the_world_s(study, shared_data):
    halves = study["hillstrom"](shared_data / "hillstrom" / "hillstrom_half.csv.gz", 0)
    one, other = (set(part.customers[np.unique(part.customer)]) for part in (halves.learn, halves.other))
    assert not one & other
    assert abs(len(one) / (len(one) + len(other)) - 0.5) < 0.02
    codes = halves.other.context.columns["segment"]
    assert codes.min() >= 0
    assert len(np.unique(codes)) > 15
    assert halves.other.catalog.hash == halves.world.catalog.hash

"""Labels of counterfactual rollouts, and the study of the observable ceiling built on them, small."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.envs import Panel
from campaignrl.envs.truth import always, live, nothing, rollout_labels

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def study():
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(ROOT / "experiments"))
        yield runpy.run_path(str(ROOT / "experiments" / "observable_ceiling.py"))


def test_a_label_is_what_a_send_on_that_day_brings_over_none_to_the_end():
    """By the other way round: the twins of whole campaigns, one of whom is sent the action on one day."""
    world, ids = crl.load_world("no_memory"), np.arange(40)
    found = rollout_labels(world, nothing, ids, seed=3, generator=np.random.default_rng(5), explore=0.0)
    when = np.random.default_rng(5).integers(0, world.horizon, len(ids))
    idle = live(world, nothing, customers=ids, seed=3, expects=True)["expected"]
    labelled = {}
    for day in np.unique(when):  # states come by day, and within a day by customer
        panel = Panel(world, ids, 3)
        for _ in range(day):
            panel.step(np.zeros(len(ids), dtype=np.int16))
        may = panel.allowed(panel.observe())
        for i in np.flatnonzero((when == day) & (may.sum(axis=1) > 1)):
            labelled[len(labelled)] = i, day, may[i]
    assert len(labelled) == len(found.gain) > 20
    for row, (customer, day, may) in list(labelled.items())[::7]:
        assert (np.isnan(found.gain[row]) == ~may).all()
        for action in np.flatnonzero(may):

            def once(panel, day=day, action=action):
                return np.full(len(panel), action if panel.day == day else 0)

            sent = live(world, once, customers=ids[[customer]], seed=3, expects=True)["expected"][0]
            assert found.gain[row, action] == pytest.approx(sent - idle[customer], abs=2e-3)


def test_labels_see_the_observation_alone_and_are_the_same_again():
    world = crl.load_world("coupon_trap")
    one, two = (
        rollout_labels(world, always(1), np.arange(200), seed=1, generator=np.random.default_rng(2)) for _ in range(2)
    )
    assert np.array_equal(one.seen, two.seen)
    assert np.array_equal(one.gain, two.gain, equal_nan=True)
    assert one.seen.shape == (len(one.gain), Panel(world, 1).observe().encode(world.features).shape[1])
    assert (one.gain[:, 0] == 0.0).all()


@pytest.mark.slow
def test_the_study_finds_a_policy_over_nothing_and_says_what_doubling_added(study, tmp_path):
    words = ["--worlds", "no_memory", "--customers", "600", "--doublings", "1"]
    words += ["--players", "40", "--searches", "0", "--fresh", "300", "--families", "network"]
    page = tmp_path / "bounds.md"
    page.write_text("before\n<!-- ceiling -->\nold\n<!-- ceiling: end -->\nafter\n")
    study["main"]([*words, "-o", str(tmp_path / "runs"), "--docs", str(page)])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    cells = [cell.strip() for cell in text.splitlines()[4].split("|")[1:-1]]
    assert cells[0] == "no_memory"
    fixed, network, ceiling = (float(cell.strip("*").split()[0]) for cell in (*cells[1:3], cells[6]))
    assert ceiling == max(fixed, network)
    assert network > 0.0
    parts = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "parts").iterdir()}
    study["main"]([*words, "-o", str(tmp_path / "runs"), "--docs", str(page)])
    assert parts == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "parts").iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("family", ["network", "trees"])
def test_each_family_learns_which_action_gains_where(study, family):
    seen = np.random.default_rng(0).random((40_000, 3), dtype=np.float32)
    gain = np.stack([np.zeros(40_000), seen[:, 0] - 0.5, np.full(40_000, np.nan)], axis=1).astype(np.float32)
    gain[::2, 2] = (0.2 - seen[:, 1])[::2]  # refused to every other customer
    value = study["FAMILIES"][family](seen, gain)(seen)
    assert (value[:, 0] == 0.0).all()
    assert np.abs(value[:, 1] - (seen[:, 0] - 0.5)).mean() < 0.05
    assert np.abs(value[:, 2] - (0.2 - seen[:, 1])).mean() < 0.05

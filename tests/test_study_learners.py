"""The study of learners: its arithmetic by hand, and one tiny run that is kept and not run again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


@pytest.fixture(scope="module")
def tables():
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        import learners_tables
    finally:
        sys.path.remove(str(EXPERIMENTS))
    return learners_tables


def test_interval_by_hand(tables):
    found = tables.interval([1.0, 2.0, 3.0])  # sd 1, t(0.975, 2) = 4.3027
    assert found["value"] == 2.0
    assert found["ci_high"] == pytest.approx(2.0 + 4.3027 / 3**0.5, rel=1e-4)


def test_a_ratio_that_holds_in_every_seed_has_no_width(tables):
    found = tables.ratio([2.0, 4.0, 8.0], [1.0, 2.0, 4.0])
    assert (found["value"], found["ci_low"], found["ci_high"]) == pytest.approx((2.0, 2.0, 2.0))


def figures(reward, sent=5.0, **more):
    return {"reward": reward, "sent": sent, "opened": 1.0, "cost": 1.0, "conversion": 0.2, "repurchase": 0.1} | {
        "top_retention": 0.9,
        **more,
    }


def test_summary_compares_seed_by_seed(tables):
    runs = {
        "none": {1: figures(10.0), 2: figures(20.0)},
        "rules": {1: figures(11.0), 2: figures(21.0)},
        "lin_ts": {1: figures(12.0), 2: figures(22.0), 3: figures(99.0)},  # seed 3 is not finished elsewhere
        "fitted_q": {1: figures(13.0, conversion=0.3), 2: figures(23.0, conversion=0.3)},
        "oracle_greedy": {1: figures(14.0), 2: figures(24.0)},
        "untargeted": {1: figures(9.0), 2: figures(19.0)},
    }
    answer = tables.summary({"ecommerce": runs})["ecommerce"]
    assert answer["seeds"] == 2
    assert answer["ways"]["fitted_q"]["of_oracle"]["value"] == pytest.approx(0.75)
    assert answer["ways"]["fitted_q"]["over_rules"]["value"] == pytest.approx(2.0 / 16.0)
    asked = answer["questions"]["best RL over best bandit"]
    assert asked["of"] == ["fitted_q", "lin_ts"]
    assert asked["value"] == pytest.approx(1.0 / 17.0)
    met = {row["promise"]: row["met"] for row in answer["promises"]}
    assert list(met.values()) == [True, False, False, True]
    assert answer["promises"][0]["value"] == pytest.approx(0.5)


def test_share_of_the_bound_by_hand(tables):
    gain, room = {"value": 3.0, "ci_high": 3.3, "seeds": 2}, {"value": 6.0, "ci_high": 6.8}
    found = tables.of_bound(gain, room)  # half a width: hypot(0.3, 0.5 x 0.8) / 6 = 0.5 / 6
    assert (found["value"], found["ci_low"], found["ci_high"]) == pytest.approx((0.5, 0.5 - 0.5 / 6, 0.5 + 0.5 / 6))


def test_the_bound_stands_beside_the_oracle_where_it_is_known(tables):
    runs = {way: {1: figures(v), 2: figures(v + 10.0)} for way, v in (("none", 10.0), ("lin_ts", 12.0))}
    answer = tables.summary({"ecommerce": runs}, {"ecommerce": {"value": 4.0, "ci_low": 4.0, "ci_high": 4.0}})
    page = tables.document(answer, (100, 1.0), {}, "call")
    assert "| lin_ts | 17.00 [-46.53, 80.53] | 2.00 [2.00, 2.00] | - | 50.0 % [50.0, 50.0] | - |" in page
    assert "no policy gains more than 4.00" in page


@pytest.mark.slow
def test_a_finished_run_is_kept(tmp_path):
    words = ["--quick", "--worlds", "no_memory", "--learners", "none", "lin_ts", "--workers", "1", "--json", "-o"]
    call = [sys.executable, str(EXPERIMENTS / "learners.py"), *words, str(tmp_path)]
    first = subprocess.run(call, check=True, capture_output=True, text=True)
    kept = sorted(tmp_path.rglob("*.json"))
    assert len(kept) == 4
    changed = json.loads(kept[0].read_text()) | {"reward": 1e6}
    kept[0].write_text(json.dumps(changed))
    second = subprocess.run(call, check=True, capture_output=True, text=True)
    assert json.loads(first.stdout)["no_memory"]["seeds"] == 2
    assert first.stdout != second.stdout  # what was kept is what is read
    assert (tmp_path / "learners.png").stat().st_size > 10_000

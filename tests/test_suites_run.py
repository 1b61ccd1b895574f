"""Running a benchmark: same bytes however it is run, and nothing lost when it is killed."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from campaignrl.campaign import run_campaign
from campaignrl.errors import CampaignError, UsageError
from campaignrl.specs.world import load_world
from campaignrl.suites import run as running
from campaignrl.suites import store as storing
from campaignrl.suites.measure import evaluation_ids
from campaignrl.suites.run import benchmark

SUITE = """
worlds = ["ecommerce"]
seeds = 2
customers = 200
horizon = 10
train = { customers = 200 }
[compare]
baseline = "rules"
[[policy]]
use = "rules"
[[policy]]
use = "lin_ts"
[[policy]]
use = "rules"
label = "rules again"
"""
RUNS = 8  # none, rules, lin_ts, rules again; two seeds
QUICK = SUITE.replace('use = "lin_ts"', 'use = "uniform"')  # as many runs, nobody to teach


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "small.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="module")
def results(suite):
    return benchmark(suite)


@pytest.fixture(scope="module")
def expected(results):
    return results.to_json().encode()


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "quick.toml"
    path.write_text(QUICK)
    return path


@pytest.fixture(scope="module")
def quickly(quick):
    return benchmark(quick).to_json().encode()


def test_rows_follow_the_plan(results):
    assert [(row.policy, row.seed) for row in results.rows] == [
        (policy, seed) for policy in ["none", "rules", "lin_ts", "rules again"] for seed in (0, 1)
    ]


def test_figures_are_those_of_the_campaign(results):
    world = load_world("ecommerce", horizon=10)
    campaign = run_campaign(world, "rules", customers=evaluation_ids(200), seed=1)
    row = next(row for row in results.rows if (row.policy, row.seed) == ("rules", 1))
    assert row.value == campaign.value.mean()
    assert row.value_std == campaign.value.std(ddof=1)
    assert row.measures["sends"] == campaign.totals["sent"].mean()
    assert row.measures["orders"] == campaign.totals["bought"].mean()


def test_the_same_policy_under_two_names_has_the_same_luck(results):
    assert results.values("ecommerce", "rules") == results.values("ecommerce", "rules again")


def test_gain_is_over_none_of_the_same_world_and_seed(results):
    none = results.values("ecommerce", "none")
    assert all(row.measures["gain"] == row.value - none[row.seed] for row in results.rows)
    assert none[0] != none[1]


def test_sending_nothing_costs_nothing(results):
    first = results.rows[0]
    nothing = ("sends", "cost", "discount", "opt_outs", "gain", "contact_pressure")
    assert first.policy == "none"
    assert [first.measures[name] for name in nothing] == [0.0] * len(nothing)
    assert [first.measures[name] for name in ("unsubscribes", "ctr", "roi")] == [None] * 3  # rates of nothing


def test_text_shows_every_policy_against_the_baseline(results):
    text = str(results)
    assert all(name in text for name in ["none", "rules again", "lin_ts", "against rules"])
    again = next(line for line in text.splitlines() if "rules again" in line)
    assert "+0.0%" in again


def test_nothing_in_the_file_knows_this_machine_or_this_moment(results, suite):
    text = results.to_json()
    assert str(suite.parent) not in text
    assert json.loads(text)["suite"]["policies"] == ["none", "rules", "lin_ts", "rules again"]


def test_two_workers_give_the_same_bytes(suite, expected, tmp_path):
    out = tmp_path / "r.json"
    calls = []
    benchmark(suite, out=out, workers=2, progress=lambda done, total: calls.append((done, total)))
    assert out.read_bytes() == expected
    assert calls == [(n, RUNS) for n in range(RUNS + 1)]
    assert sorted(os.listdir(tmp_path)) == ["r.json", "r.timings.json"]


def interrupted(suite, out, runs):
    """Stop after some runs, as Ctrl-C does."""

    def stop(done, total):
        if done == runs:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        benchmark(suite, out=out, progress=stop)


def played(suite, out, monkeypatch, **options):
    """How many runs a benchmark plays."""
    count = []
    measure = running.measure
    monkeypatch.setattr(running, "measure", lambda *given: count.append(given) or measure(*given))
    benchmark(suite, out=out, **options)
    return len(count)


def test_ctrl_c_leaves_no_results_and_the_next_run_goes_on(quick, quickly, tmp_path, monkeypatch):
    out = tmp_path / "r.json"
    interrupted(quick, out, 3)
    assert not out.exists()
    assert played(quick, out, monkeypatch) == RUNS - 3
    assert out.read_bytes() == quickly
    assert sorted(os.listdir(tmp_path)) == ["r.json", "r.timings.json"]


def test_without_resume_everything_is_played_again(quick, tmp_path, monkeypatch):
    interrupted(quick, tmp_path / "r.json", 3)
    assert played(quick, tmp_path / "r.json", monkeypatch, resume=False) == RUNS


def test_runs_of_other_code_are_played_again(quick, tmp_path, monkeypatch):
    interrupted(quick, tmp_path / "r.json", 3)
    monkeypatch.setattr(storing, "code_hash", lambda: "of another version")
    assert played(quick, tmp_path / "r.json", monkeypatch) == RUNS


def test_runs_of_another_horizon_are_played_again(quick, tmp_path, monkeypatch):
    interrupted(quick, tmp_path / "r.json", 3)
    other = tmp_path / "other.toml"
    other.write_text(QUICK.replace("horizon = 10", "horizon = 11"))
    assert played(other, tmp_path / "r.json", monkeypatch) == RUNS


def test_more_seeds_go_on_from_the_finished_ones(quick, tmp_path, monkeypatch):
    interrupted(quick, tmp_path / "r.json", 3)  # none 0, none 1, rules 0
    assert played(quick, tmp_path / "r.json", monkeypatch, seeds=1) == 4 - 2


DAMAGE = {
    "cut short": lambda raw: raw[: len(raw) // 2],
    "empty": lambda raw: b"",
    "one digit changed": lambda raw: raw.replace(b'"sent": 0.0', b'"sent": 0.5'),
    "another shape": lambda raw: b"[1]",
    "not text": lambda raw: b"\x80\x04\x95" + raw,
    "deep": lambda raw: b"[" * 50_000,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_part_is_played_again(quick, quickly, tmp_path, monkeypatch, damage):
    out = tmp_path / "r.json"
    interrupted(quick, out, 2)
    for path in (tmp_path / "r.json.partial").iterdir():
        path.write_bytes(damage(path.read_bytes()))
    assert played(quick, out, monkeypatch) == RUNS
    assert out.read_bytes() == quickly


def test_files_of_others_in_the_folder_are_left_alone(quick, tmp_path):
    other = tmp_path / "r.json.partial" / "mine.json"
    other.parent.mkdir()
    other.write_text("keep")
    benchmark(quick, out=tmp_path / "r.json", seeds=1)
    assert other.read_text() == "keep"
    assert os.listdir(other.parent) == ["mine.json"]


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_once_it_goes_on_and_leaves_nobody_behind(quick, quickly, tmp_path, monkeypatch, workers):
    out, partial = tmp_path / "r.json", tmp_path / "r.json.partial"
    script = tmp_path / "go.py"
    slow = "\n        import time; time.sleep(0.3)" if workers == 1 else ""  # so that the kill comes between runs
    monkeypatch.setattr(storing, "code_hash", lambda: "the same")  # whoever edits our source meanwhile
    script.write_text(
        "from campaignrl.suites import store\n"
        "from campaignrl.suites.run import benchmark\n"
        "store.code_hash = lambda: 'the same'\n"
        "if __name__ == '__main__':\n"
        f"    def tell(done, total):{slow}\n        pass\n"
        f"    benchmark({str(quick)!r}, out={str(out)!r}, workers={workers}, progress=tell)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], start_new_session=True) as process:
        try:
            wait_until(lambda: process.poll() is not None or list(partial.glob("[0-9a-f]*.json")), "a finished run")
        finally:
            process.kill()
    assert process.returncode in (0, -signal.SIGKILL)
    wait_until(lambda: not alive(process.pid), "its workers to end")
    if not out.exists():  # else it had finished before the kill
        finished = len(list(partial.glob("[0-9a-f]*.json")))
        assert played(quick, out, monkeypatch) == RUNS - finished
    assert out.read_bytes() == quickly
    assert not list(partial.glob("*.json"))


@pytest.mark.slow
def test_killed_at_ten_moments_it_ends_with_the_same_file(quick, tmp_path):
    """Ten processes killed one after the other, each at a moment drawn by chance; the eleventh finishes."""
    out, script = tmp_path / "r.json", tmp_path / "go.py"
    script.write_text(
        "from campaignrl.suites.run import benchmark\n"
        "if __name__ == '__main__':\n"
        "    import pathlib\n"
        f"    begun = lambda done, total: pathlib.Path({str(tmp_path / 'begun')!r}).touch()\n"
        f"    benchmark({str(quick)!r}, out={str(out)!r}, seeds=60, progress=begun)\n"
    )
    chance, seen = np.random.default_rng(7), []
    for _ in range(10):
        with subprocess.Popen([sys.executable, str(script)], start_new_session=True) as process:
            wait_until(lambda: process.poll() is not None or (tmp_path / "begun").exists(), "the first run")
            time.sleep(chance.uniform(0.0, 1.5))
            process.kill()
        (tmp_path / "begun").unlink()
        seen.append(len(list((tmp_path / "r.json.partial").glob("[0-9a-f]*.json"))))
        if out.exists():
            break
    assert seen == sorted(seen)  # nothing that was finished is lost
    assert seen[-1] > 0
    benchmark(quick, out=out, seeds=60)
    assert out.read_bytes() == benchmark(quick, seeds=60).to_json().encode()


def wait_until(true, what, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)


def alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_that_dies_is_told(suite, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_start_worker", die)
    with pytest.raises(CampaignError, match="worker process ended"):
        benchmark(suite, out=tmp_path / "r.json", workers=2)
    assert not (tmp_path / "r.json").exists()


def die():
    os._exit(9)


def test_an_output_that_cannot_be_written_is_told_before_anything_runs(suite, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "measure", lambda *given: pytest.fail("a run was played"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        benchmark(suite, out=tmp_path / "file" / "r.json")
    with pytest.raises(UsageError, match="folder"):
        benchmark(suite, out=tmp_path)
    with pytest.raises(UsageError, match="workers"):
        benchmark(suite, workers=0)


def test_a_trained_policy_is_not_taught_again(tmp_path):
    from campaignrl.policies.bundle import save_bundle
    from campaignrl.training import train

    world = load_world("ecommerce", horizon=10)
    learner = train("lin_ts", world, customers=300, seed=5)
    save_bundle(learner, tmp_path / "mine.bundle")
    (tmp_path / "s.toml").write_text(SUITE + '[[policy]]\nuse = "mine.bundle"\n')
    found = benchmark(tmp_path / "s.toml", seeds=1).values("ecommerce", "mine")
    campaign = run_campaign(world, learner, customers=evaluation_ids(200), seed=0)
    assert found == {0: np.mean(campaign.value)}

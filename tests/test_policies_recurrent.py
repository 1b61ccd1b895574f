"""A policy that remembers: its step by hand, whose memory is whose, and the same memory in every verb."""

import contextlib
import datetime
import functools
import math
import os
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import campaignrl as crl
from campaignrl import rng
from campaignrl.campaign import run_campaign, simulate_hours
from campaignrl.choices import decide_day
from campaignrl.cli import main as cli
from campaignrl.cli.sends import request
from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.panel import Panel
from campaignrl.errors import ArtifactError, DataError, UsageError
from campaignrl.guard.rules import cap_windows
from campaignrl.ope.data.target_policy import policy_of_rows, target_policy_of
from campaignrl.ope.refit_bootstrap import refit_bootstrap
from campaignrl.ope.streaming.evaluate import evaluate_stream
from campaignrl.policies.base import sample
from campaignrl.policies.bundle import save_bundle
from campaignrl.policies.deep.numpy_network import Layer
from campaignrl.policies.deep.recurrent_ppo import remembered
from campaignrl.policies.deep.recurrent_state import (
    Memory,
    Recurrent,
    answers_on,
    ask,
    fingerprint,
    gaps_in,
    memory_for,
)
from campaignrl.policies.deep.recurrent_state_file import load_memory, open_memory, save_memory
from campaignrl.policies.loading import build_policy
from campaignrl.report.facts.training import training_facts
from campaignrl.rng import Purpose
from campaignrl.send import EPOCH
from campaignrl.send.decide import decide
from campaignrl.tables.customers import read_customers
from campaignrl.tables.files import alone
from campaignrl.true_value import campaign_twins, decision_value

F32 = np.float32
H = 6
SMALL = Path(__file__).parent / "worlds" / "small.toml"


def built(world, seed=3, **settings):
    """A policy that has some weights."""
    spec = {"kind": "recurrent_ppo", "hidden": [8], "lstm_hidden_size": H, **settings}
    policy = build_policy(spec, world.catalog, world.features)
    chance = np.random.default_rng(seed)
    policy.restore({name: chance.normal(0, 0.8, a.shape).astype(F32) for name, a in policy.tensors().items()})
    return policy


@pytest.fixture(scope="module")
def policy(small_world):
    return built(small_world)


@pytest.fixture(scope="module")
def log(policy, small_world):
    """Its own log, of whole episodes."""
    return crl.simulate(small_world, policy, customers=150, seed=4)


# ------------------------------------------------------------------ one step


def test_one_step_by_hand():
    """One feature, one number remembered: gates are sigmoids, the rest is tanh (Gers et al. 2000)."""
    x, h, c = 0.5, -0.2, 0.7
    w = {"input": (1.0, 0.3, 0.1), "forget": (-0.4, 0.8, 0.2), "cell": (0.9, -0.5, 0.0), "output": (0.2, 0.6, -0.3)}
    raw = {name: a * x + b * h + d for name, (a, b, d) in w.items()}
    gate = {name: 1.0 / (1.0 + math.exp(-v)) for name, v in raw.items()}
    cell = gate["forget"] * c + gate["input"] * math.tanh(raw["cell"])
    gates = Layer(
        np.array([[v[0] for v in w.values()], [v[1] for v in w.values()]], F32),
        np.array([v[2] for v in w.values()], F32),
    )
    after = remembered(np.array([[x]], F32), np.array([[h, c]], F32), gates)
    np.testing.assert_allclose(after, [[gate["output"] * math.tanh(cell), cell]], atol=1e-7)


def test_huge_weights_give_numbers():
    gates = Layer(np.full((3, 8), 1e30, F32), np.full(8, -1e30, F32))
    after = remembered(np.array([[0.0], [1.0]], F32), np.zeros((2, 4), F32), gates)
    assert np.isfinite(after).all()
    assert (np.abs(after) <= 1.0).all()


def test_weights_that_could_overflow_are_refused(policy, small_world):
    fresh = build_policy(
        {"kind": "recurrent_ppo", "hidden": [8], "lstm_hidden_size": H}, small_world.catalog, small_world.features
    )
    huge = {**policy.tensors(), "memory_weight": np.full_like(policy.tensors()["memory_weight"], 1e30)}
    with pytest.raises(ArtifactError, match="memory's gates"):
        fresh.restore(huge)
    assert not fresh.is_trained


def test_what_is_remembered_changes_the_answer(policy, log):
    """Else every test below would pass with a memory that is never read."""
    with_memory, without = answers_on(policy, log), policy.probabilities(log.context, log.eligible)
    first = log.step == 0
    np.testing.assert_array_equal(with_memory[first], without[first])
    assert np.abs(with_memory - without)[~first].max(axis=1).mean() > 0.02


# ------------------------------------------------------------------ the keeper


def keys_of(*ids):
    return rng.customer_keys(np.array(ids))


def test_a_state_moves_on_once_a_day():
    memory, day = Memory("x", 2), 5
    memory.meet(keys_of(1, 2))
    assert not memory.states(keys_of(2, 1), day).any()
    one, two = np.array([[1, 2]], F32), np.array([[3, 4]], F32)
    memory.keep(keys_of(1), 5, np.zeros((1, 2), F32), one)
    np.testing.assert_array_equal(memory.states(keys_of(1), 5), [[0, 0]])  # the same day again
    np.testing.assert_array_equal(memory.states(keys_of(2, 1), 8), [[0, 0], [1, 2]])  # days may be left out
    memory.keep(keys_of(1), 8, one, two)
    np.testing.assert_array_equal(memory.states(keys_of(1), 8), one)
    memory.meet(keys_of(3, 1, 3))
    assert len(memory) == 3
    np.testing.assert_array_equal(memory.states(keys_of(3, 1), 9), [[0, 0], [3, 4]])
    assert memory.last_day == 8


def test_a_memory_does_not_go_back():
    memory = Memory("x", 2)
    memory.meet(keys_of(1, 2, 3))
    memory.keep(keys_of(2), 5, np.zeros((1, 2), F32), np.ones((1, 2), F32))
    with pytest.raises(DataError, match=r"memory row 1: last day = 5 is not 4 or earlier"):
        memory.states(keys_of(1, 2), 4)
    assert not memory.states(keys_of(1, 3), 4).any()


def test_asked_twice_it_says_the_same_and_other_customers_do_not_matter(policy, small_world):
    panel = Panel(small_world, 60, seed=1)
    context, key = panel.observe(), panel.traits.key
    allowed = panel.allowed(context)
    memory, other = memory_for(policy), memory_for(policy)
    memory.meet(key)
    other.meet(key[::-1])
    order = np.random.default_rng(0).permutation(60)
    for day in (0, 1, 4):
        p = ask(policy, memory, key, day, context, allowed)
        assert ask(policy, memory, key, day, context, allowed).tobytes() == p.tobytes()
        turned = ask(policy, other, key[order], day, context.take(order), allowed[order])
        assert turned.tobytes() == p[order].tobytes()
    part = ask(policy, memory, key[:7], 9, context.take(slice(0, 7)), allowed[:7])
    whole = ask(policy, other, key, 9, context, allowed)
    assert part.tobytes() == whole[:7].tobytes()


def test_whoever_would_forget_is_told(policy, small_world):
    panel = Panel(small_world, 5)
    with pytest.raises(UsageError, match=r"memory = 'none' is not given.*memory_for"):
        decide_day(panel, policy)
    uniform = crl.load_policy("uniform", small_world.catalog, small_world.features)
    with pytest.raises(UsageError, match="remembers nothing"):
        open_memory(uniform, Path("x"))
    assert memory_for(uniform) is None


# ------------------------------------------------------------------ campaigns


def test_a_campaign_is_each_customer_by_itself(policy, small_world, log):
    """Against a plain loop over one customer at a time, with a state of its own."""
    for i in (0, 17, 149):
        panel = Panel(small_world, np.array([i]), seed=4)
        state, mine = np.zeros((1, 2 * H), F32), np.flatnonzero(log.customer == i)
        for row in mine:
            context = panel.observe()
            allowed = panel.allowed(context)
            state = policy.remember(context, state)
            p = policy.shares(context, state, allowed)
            action = sample(p, rng.uniform(panel.traits.key, 4, panel.day, Purpose.ACTION))
            assert (action[0], p[0, action[0]]) == (log.action[row], log.propensity[row])
            panel.step(action)


def test_blocks_threads_and_order_change_nothing(policy, small_world):
    first = crl.simulate(small_world, policy, customers=np.arange(90), seed=4)
    again = crl.simulate(small_world, policy, customers=np.arange(90), seed=4, block=7, threads=3)
    turned = crl.simulate(small_world, policy, customers=np.arange(90)[::-1], seed=4, block=20)
    for name in ("action", "propensity", "reward"):
        theirs = getattr(first, name)
        np.testing.assert_array_equal(getattr(again, name), theirs)
        np.testing.assert_array_equal(getattr(turned, name).reshape(90, -1)[::-1].ravel(), theirs)


def test_hours_and_days_send_about_as_much(policy, small_world):
    """The clock asks once a day, too."""
    hours = simulate_hours(small_world, policy, customers=100, seed=2)
    days = run_campaign(small_world, policy, customers=100, seed=2)
    assert hours.totals["sent"].sum() == pytest.approx(days.totals["sent"].sum(), rel=0.25)


def test_twins_and_single_decisions_remember(policy, small_world):
    campaign = run_campaign(small_world, policy, customers=300, seed=2)
    found = campaign_twins(small_world, policy, "none", customers=300, seed=2)
    np.testing.assert_array_equal(found.ours["reward"], campaign.totals["reward"])
    # Where all decisions are by one policy, one of them by an equal one changes nothing.
    other = built(small_world)
    same = decision_value(small_world, other, policy, customers=300, seed=2)
    assert same == decision_value(small_world, policy, policy, customers=300, seed=2)


# ------------------------------------------------------------------ valued on logs


def test_on_its_own_log_it_gives_the_logged_propensities(policy, log):
    p = answers_on(policy, log)
    np.testing.assert_array_equal(p[np.arange(len(log)), log.action], log.propensity)
    assert gaps_in(log) == ()


def test_rows_in_another_order_are_remembered_alike(policy, log):
    order = np.random.default_rng(0).permutation(len(log))
    np.testing.assert_array_equal(answers_on(policy, log.take(order)), answers_on(policy, log)[order])


def test_an_evaluation_remembers_rows_it_does_not_value(policy, log, tmp_path):
    """Immature rows, and customers drawn twice: probabilities are those of the whole log."""
    p, kept = answers_on(policy, log), np.flatnonzero(np.arange(len(log)) % 3 > 0)
    path = save_bundle(policy, tmp_path / "p.bundle")
    for given in (policy, path, target_policy_of(policy, log)):
        found = target_policy_of(policy_of_rows(given, log, kept), log.take(kept))
        assert found.name == "recurrent_ppo"
        np.testing.assert_array_equal(found.probabilities(log.take(kept), slice(0, 100)), p[kept[:100]])
    holes = replace(log, matured=log.step % 2 == 0)
    assert crl.evaluate(holes, policy).estimates == crl.evaluate(holes, p).estimates
    drawn = refit_bootstrap(log, policy, resamples=3, estimators=("ips",))
    assert drawn == refit_bootstrap(log, p, resamples=3, estimators=("ips",), seed=0)


def test_a_file_called_like_a_word_is_not_looked_at(log, tmp_path, monkeypatch):
    (tmp_path / "logged").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert policy_of_rows("logged", log, None) == "logged"


def test_its_own_log_weighs_evenly(policy, log, small_world):
    found = crl.evaluate(log, policy)
    assert found.mean_weight == pytest.approx(1.0, abs=1e-12)
    assert not any("remembers" in reason for reason in found.reasons)
    uniform = crl.simulate(replace_window(small_world), "uniform", customers=200, seed=6)
    episodes = crl.evaluate(uniform, policy, estimators=("pdis",))
    assert episodes.policy == "recurrent_ppo"


def replace_window(world):
    """Rewards of a day each, as sequential estimators want them."""
    return world.model_copy(update={"outcome_days": 1})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (lambda step: step == 5, "single row here"),
        (lambda step: step >= 4, "meets 100% of them in mid-episode"),
        (lambda step: step % 2 == 0, "after 100% of rows it misses the next step"),
    ],
)
def test_where_the_memory_cannot_be_whole_it_says_so(rows, said, policy, log):
    part = log.take(np.flatnonzero(rows(log.step)))
    assert any(said in reason for reason in crl.evaluate(part, policy).reasons)


def test_a_stream_is_refused(policy, log):
    with pytest.raises(UsageError, match=r"remembers customers.*without --stream"):
        evaluate_stream(log, policy)


def test_a_report_looks_at_it_with_its_memory(policy, log):
    facts = training_facts(policy, log)
    p = answers_on(policy, log)
    np.testing.assert_allclose([a.share for a in facts.actions], p.mean(axis=0))


# ------------------------------------------------------------------ files


@pytest.fixture
def kept(policy, small_world, tmp_path):
    """A memory of 40 customers after three days, and its file."""
    panel, memory = Panel(small_world, 40, seed=1), memory_for(policy)
    while panel.day < 3:
        panel.step(decide_day(panel, policy, memory).action)
    save_memory(memory, tmp_path / "m")
    return memory, tmp_path / "m", panel


def test_a_memory_comes_back_from_its_file(policy, kept, tmp_path):
    memory, path, panel = kept
    again = load_memory(policy, path)
    save_memory(again, tmp_path / "n")
    assert (tmp_path / "n").read_bytes() == path.read_bytes()
    key = panel.traits.key
    for day in (2, 3):
        np.testing.assert_array_equal(again.states(key, day), memory.states(key, day))
    assert (decide_day(panel, policy, again).action == decide_day(panel, policy, memory).action).all()


def test_whoever_was_never_asked_is_not_kept(policy, tmp_path):
    memory = memory_for(policy)
    memory.meet(keys_of(1, 2, 3))
    save_memory(memory, tmp_path / "m")
    assert len(load_memory(policy, tmp_path / "m")) == 0
    assert load_memory(policy, tmp_path / "m").last_day is None


def test_damaged_and_foreign_memories_are_refused(policy, kept, small_world, tmp_path):
    _, path, _ = kept
    raw = path.read_bytes()

    def refused(match, content=None):
        path.write_bytes(raw if content is None else content)
        with pytest.raises(ArtifactError, match=match) as caught:
            load_memory(policy, path)
        assert str(path) in str(caught.value)

    for length in np.linspace(0, len(raw) - 1, 40).astype(int):
        refused(".", raw[:length])
    flipped = bytearray(raw)
    flipped[-5] ^= 8
    refused("sha256", flipped)
    canary = tmp_path / "canary"
    refused("a pickle", pickle.dumps(Canary(canary)))
    assert not canary.exists()
    refused("a memory of campaignrl", save_bundle(policy, tmp_path / "p.bundle").read_bytes())
    path.write_bytes(raw)
    with pytest.raises(ArtifactError, match="begins a memory of its own"):
        load_memory(built(small_world, seed=4), path)
    with pytest.raises(ArtifactError, match="readable"):
        load_memory(policy, tmp_path / "absent")


class Canary:
    """Leaves a file behind if anybody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_a_fingerprint_tells_networks_and_settings_apart(small_world):
    found = {fingerprint(built(small_world, **words)) for words in ({}, {"seed": 4}, {"explore": 0.1})}
    assert len(found) == 3
    assert fingerprint(built(small_world)) in found
    assert isinstance(built(small_world), Recurrent)


# ------------------------------------------------------------------ day after day, for real customers


def table_of(panel):
    world = panel.world
    return read_customers(customers_frame(panel), world.features, list(world.channels), cap_windows(world))


def test_deciding_every_morning_is_the_campaign(policy, small_world, tmp_path):
    """The table of each day, the memory through a file, every day asked twice: what the simulation would send."""
    panel, memory, path = Panel(small_world, 60, seed=1), memory_for(policy), tmp_path / "m"
    for _ in range(5):
        expected = decide_day(panel, policy, memory)
        words = {"day": EPOCH + datetime.timedelta(days=panel.day), "seed": 1}
        kept = open_memory(policy, path)
        found = decide(policy, table_of(panel), small_world, memory=kept, **words)
        again = decide(policy, table_of(panel), small_world, memory=kept, **words)
        save_memory(kept, path)
        repeated = decide(policy, table_of(panel), small_world, memory=open_memory(policy, path), **words)
        for decisions in (found, again, repeated):
            np.testing.assert_array_equal(decisions.action, expected.action)
            np.testing.assert_array_equal(decisions.propensity, expected.propensity)
        panel.step(expected.action)


def test_deciding_needs_the_memory_and_the_day_after(policy, small_world):
    table, memory = table_of(Panel(small_world, 10)), memory_for(policy)
    today = datetime.date(2026, 11, 21)
    with pytest.raises(UsageError, match=r"memory = 'none' is not given.*--memory FILE"):
        decide(policy, table, small_world, day=today)
    decide(policy, table, small_world, day=today, memory=memory)
    with pytest.raises(UsageError, match=r"2026-11-20' is not 2026-11-21, where the memory stands, or later"):
        decide(policy, table, small_world, day=today - datetime.timedelta(days=1), memory=memory)
    with pytest.raises(ArtifactError, match="another policy"):
        decide(built(small_world, seed=4), table, small_world, day=today, memory=memory)


def test_the_command_carries_a_memory_on(policy, small_world, tmp_path, monkeypatch, capsys):
    bundle = save_bundle(policy, tmp_path / "p.bundle", {"world": "small"})
    customers_frame(Panel(small_world, 30, seed=1)).to_csv(tmp_path / "c.csv", index=False)
    words = [str(bundle), str(tmp_path / "c.csv"), "--world", str(SMALL), "-o", str(tmp_path / "s.csv")]

    def decided(*more):
        monkeypatch.setattr(sys, "argv", ["campaignrl", "decide", *words, *more])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return code, capsys.readouterr().err

    memory = ["--memory", str(tmp_path / "m")]
    code, said = decided("--as-of", "2026-11-21")
    assert code == 2
    assert "--memory FILE" in said
    assert not (tmp_path / "s.csv").exists()
    assert decided("--as-of", "2026-11-21", *memory)[0] == 0
    first, sends = (tmp_path / "m").read_bytes(), (tmp_path / "s.csv").read_bytes()
    assert decided("--as-of", "2026-11-21", *memory)[0] == 0
    assert ((tmp_path / "m").read_bytes(), (tmp_path / "s.csv").read_bytes()) == (first, sends)
    assert decided("--as-of", "2026-11-22", *memory)[0] == 0
    assert (tmp_path / "m").read_bytes() != first
    assert decided("--as-of", "2026-11-21", *memory)[0] == 2
    words[0] = "uniform"
    code, said = decided(*memory)
    assert code == 2
    assert "remembers nothing" in said


def test_of_two_runs_at_once_on_one_memory_none_is_forgotten(policy, small_world, tmp_path):
    """Each reads the memory, decides for its half of the customers, and writes it: one after the other."""
    bundle = save_bundle(policy, tmp_path / "p.bundle", {"world": "small"})
    frame = customers_frame(Panel(small_world, 30, seed=1))
    memory, both = tmp_path / "new folder" / "m", threading.Barrier(2)
    read = request.open_memory

    def slowly(policy, path):
        found = read(policy, path)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(timeout=0.5)  # a lock lets no second one come this far
        return found

    def decided(half):
        frame.iloc[15 * half : 15 * half + 15].to_csv(tmp_path / f"c{half}.csv", index=False)
        words = ["decide", str(bundle), str(tmp_path / f"c{half}.csv"), "--world", str(SMALL), "--as-of", "2026-11-21"]
        words += ["-o", str(tmp_path / f"s{half}.csv"), "--memory", str(memory)]
        with pytest.raises(SystemExit) as end:
            cli.app(words, standalone_mode=True)
        return end.value.code

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as two:
        patch.setattr(request, "open_memory", slowly)
        assert list(two.map(decided, range(2))) == [0, 0]
    assert len(load_memory(policy, memory).keys) == 30


def test_a_memory_that_another_run_holds_is_waited_for_and_then_said(policy, small_world, tmp_path, monkeypatch):
    bundle = save_bundle(policy, tmp_path / "p.bundle", {"world": "small"})
    customers_frame(Panel(small_world, 5, seed=1)).to_csv(tmp_path / "c.csv", index=False)
    words = ["decide", str(bundle), str(tmp_path / "c.csv"), "--world", str(SMALL), "--as-of", "2026-11-21"]
    words += ["-o", str(tmp_path / "s.csv"), "--memory", str(tmp_path / "m")]
    impatient = functools.partial(alone, patience=0.1)
    monkeypatch.setattr(request, "alone", impatient)
    with alone(tmp_path / ".m.lock", where="decide", field="--memory", of=tmp_path / "m"):
        done = CliRunner().invoke(cli.app, words)
        assert isinstance(done.exception, UsageError)
        assert f"Wait for it, or stop it: process {os.getpid()}" in str(done.exception)
        assert CliRunner().invoke(cli.app, [*words, "--dry-run"]).exit_code == 0  # changes nothing, so waits for nobody
    assert not (tmp_path / "s.csv").exists()
    assert not (tmp_path / "m").exists()
    assert CliRunner().invoke(cli.app, words).exit_code == 0

"""`rollout`: labels by paired rollouts, the network, prices, acceptance, going on after a kill; small worlds."""

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import campaignrl as crl
from campaignrl.actions import NONE
from campaignrl.cli import main as cli
from campaignrl.dynamics.parameters import parameters
from campaignrl.effects import Effect, FatigueEffect
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth import always, live, nothing, rollout_labels
from campaignrl.envs.truth.oracles import DAYS, action_gains, expected_labels
from campaignrl.errors import ArtifactError, SpecError, SupportError, UsageError
from campaignrl.features import FeatureSchema
from campaignrl.policies.baselines import FIXED, NOTHING, USUAL, baselines_of, best_fixed, deciding, fixed_values
from campaignrl.policies.bundle import load_bundle, read_manifest, save_bundle
from campaignrl.policies.certified_draws import Layer
from campaignrl.policies.loading import build_policy
from campaignrl.policies.rollout import price_search, trainer
from campaignrl.policies.rollout.acceptance import judged
from campaignrl.policies.rollout.budget_search import ASKED, TURN
from campaignrl.policies.rollout.labelling import (
    EXPECTED,
    PLAYED,
    Draws,
    held_out,
    ids_of_block,
    labelled,
    way_of_labelling,
    worth_of_a_send,
)
from campaignrl.policies.rollout.price_search import Players, improved, starts
from campaignrl.policies.rollout.prices import Prices, by_value, in_words, priced_layers, repriced, unpriced
from campaignrl.policies.rollout.value_network import FitSettings, ValueNetwork, fit, gradients, held_out_fit, one_cycle
from campaignrl.policies.standing import paired_gain
from campaignrl.true_value import acting

SMALL = Path(__file__).parent / "worlds" / "small.toml"
LITTLE = {"players": 200, "judges": 400, "hidden": [8, 8], "starts": 2, "turns": 1, "epochs": 2, "batch_size": 128}
SPEC = {"kind": "rollout", **LITTLE}


@pytest.fixture
def idle_world(tmp_path):
    """The small world with sends that do nothing but cost: the negative control."""
    text = SMALL.read_text()
    for some, none in [
        ("open_lift = 0.2", "open_lift = 0.0"),
        ("click_lift = 1.0", "click_lift = 0.0"),
        ("appeal = 0.2", "appeal = 0.0"),
        ("retention = 0.5", "retention = 0.0"),
        ("revives = 0.2", "revives = 0.0"),
        ("taste = { perk = 0.5 }", "taste = { perk = 0.0 }"),
        ("taste = { coupon = 0.4 }", "taste = { coupon = 0.0 }"),
        ("price_sensitivity = { mean = 0.10, spread = 0.4 }", "price_sensitivity = { mean = 1e-9, spread = 0.4 }"),
        ("price_sensitivity = { mean = 0.40, spread = 0.5 }", "price_sensitivity = { mean = 1e-9, spread = 0.5 }"),
    ]:
        assert some in text
        text = text.replace(some, none)
    path = tmp_path / "idle.toml"
    path.write_text(text)
    return crl.load_world(path)


@pytest.fixture
def campaignrl(monkeypatch, capsys):
    """Call the command line as a shell would; (exit code, stdout, stderr)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture(scope="module")
def taught(small_world):
    """A policy taught for a second or two."""
    return crl.train(SPEC, small_world, customers=300, rounds=2, seed=3)


def some_network(world, seed=0, hidden=(8, 8)):
    chance = np.random.default_rng(seed)
    widths = [world.features.width, *hidden, len(world.catalog)]
    layers = [
        Layer(chance.normal(0, 0.5, (i, o)).astype(np.float32), chance.normal(0, 0.2, o).astype(np.float32))
        for i, o in pairwise(widths)
    ]
    return ValueNetwork(tuple(layers), chance.normal(0, 0.3, widths[-1]).astype(np.float32), 1.7)


def some_prices(world, seed=0, fall=0.4):
    chance = np.random.default_rng(seed)
    c, o = len(world.catalog.channels), len(world.catalog.offers)
    return Prices(chance.normal(0, 0.3, c), chance.normal(0, 0.3, o), 0.2, fall)


# ------------------------------------------------------------------ labels


@pytest.mark.parametrize("behave", [nothing, always(1)], ids=["nothing", "always"])
def test_labels_are_what_playing_twice_says(small_world, behave):
    """Whole campaigns of the same customers: by the behaviour until the day, then the action or none, then nothing."""
    world, ids = small_world, np.arange(60)
    found = rollout_labels(world, behave, ids, seed=3, generator=np.random.default_rng(5), explore=0.0)
    when = np.random.default_rng(5).integers(0, world.horizon, len(ids))

    def ending(day, action):
        def decide(panel):
            if panel.day < day:
                return behave(panel)
            return np.full(len(panel), action if panel.day == day else NONE)

        return decide

    row = 0
    for day in range(world.horizon):
        panel = Panel(world, ids, 3)
        for _ in range(day):
            panel.step(np.asarray(behave(panel)).astype(np.int16))
        may = panel.allowed(panel.observe())
        for i in np.flatnonzero((when == day) & (may.sum(axis=1) > 1)):
            assert ((~np.isnan(found.gain[row])) == may[i]).all()
            one = ids[[i]]
            idle = live(world, ending(day, NONE), customers=one, seed=3, expects=True)["expected"][0]
            for action in np.flatnonzero(may[i]):
                sent = live(world, ending(day, action), customers=one, seed=3, expects=True)["expected"][0]
                assert found.gain[row, action] == pytest.approx(sent - idle, abs=2e-3)
            row += 1
    assert row == len(found.gain) > 20


def test_labels_do_not_depend_on_threads(small_world, monkeypatch):
    monkeypatch.setattr("campaignrl.policies.rollout.labelling.PIECE", 64)
    one, three = (
        labelled(small_world, nothing, np.arange(300), Draws(2, 1), threads, lambda _: None) for threads in (1, 3)
    )
    assert one.seen.tobytes() == three.seen.tobytes()
    assert one.gain.tobytes() == three.gain.tobytes()
    other = labelled(small_world, nothing, np.arange(300), Draws(2, 0), 1, lambda _: None)
    assert len(other.gain) != len(one.gain) or other.gain.tobytes() != one.gain.tobytes()


def test_where_nobody_has_a_choice_there_are_no_labels(small_world):
    """The world's held-out customers are never sent anything."""
    panel = Panel(small_world, 400, 3)
    ids = np.flatnonzero(panel.traits.held_out)
    found = rollout_labels(small_world, nothing, ids, seed=3, generator=np.random.default_rng(1))
    assert len(ids) > 20
    assert found.gain.shape == (0, len(small_world.catalog))
    assert found.seen.shape == (0, small_world.features.width)


def test_labels_in_expectation_are_the_mean_of_those_that_are_played():
    """In a world without memory the days to come are followed exactly, so that only luck is between them."""
    world = crl.load_world("no_memory")
    few = {"seed": 3, "generator": np.random.default_rng(1), "explore": 0.1}
    played = rollout_labels(world, always(1), np.arange(6_000), **few).gain
    meant = expected_labels(world, always(1), np.arange(2_000), share=1.0, **few).gain
    for action in range(1, len(world.catalog)):
        one, other = played[~np.isnan(played[:, action]), action], meant[~np.isnan(meant[:, action]), action]
        assert len(one) > 1_000 < len(other)
        error = np.hypot(one.std() / np.sqrt(len(one)), other.std() / np.sqrt(len(other) / DAYS))
        assert abs(one.mean() - other.mean()) < 4.0 * error
        assert other.var() < 0.8 * one.var()  # what is left is how customers differ


def test_labels_in_expectation_are_gains_at_the_true_state_to_the_end(small_world):
    found = expected_labels(
        small_world, nothing, np.arange(80), seed=3, generator=np.random.default_rng(5), explore=0.0
    )
    when = np.sort(np.random.default_rng(5).choice(small_world.horizon, min(DAYS, small_world.horizon), replace=False))
    panel, p = Panel(small_world, np.arange(80), 3), parameters(small_world)
    for _ in range(when[0]):
        panel.step(nothing(panel))
    context, may = panel.observe(), panel.allowed(panel.observe())
    whole = action_gains(small_world, panel.traits, panel.state, panel.day, p, days=small_world.horizon)
    seen, rows = context.encode(small_world.features), np.flatnonzero(may.sum(axis=1) > 1)
    same = (found.seen[:, None] == seen[rows][None]).all(axis=2)
    first = np.flatnonzero(same.any(axis=1))
    assert len(first) > 10
    for row in first:
        here = rows[same[row].argmax()]
        assert ((~np.isnan(found.gain[row])) == may[here]).all()
        np.testing.assert_array_equal(found.gain[row, may[here]], whole[here, may[here]])


def test_labels_are_played_where_an_effect_says_nothing_of_its_mean_day(small_world, monkeypatch):
    assert way_of_labelling(small_world, EXPECTED) == EXPECTED
    assert way_of_labelling(small_world, PLAYED) == PLAYED
    monkeypatch.setattr(FatigueEffect, "live_mean", Effect.live_mean)
    assert way_of_labelling(small_world, EXPECTED) == PLAYED
    policy = crl.train({**SPEC, "labels": EXPECTED, "starts": 1, "turns": 0}, small_world, customers=60, rounds=1)
    assert "labels" not in policy.facts
    assert any("labels are played" in line for line in policy.told)


def test_taught_in_expectation_it_beats_what_there_is_as_well(small_world, tmp_path):
    spec = {**SPEC, "labels": EXPECTED, "starts": 1, "players": 100}
    policy = crl.train(spec, small_world, customers=150, rounds=1, seed=3, threads=2)
    again = crl.train(spec, small_world, customers=150, rounds=1, seed=3)
    assert policy.facts["accepted"]
    one, two = (save_bundle(p, tmp_path / f"{i}.bundle") for i, p in enumerate((policy, again)))
    assert one.read_bytes() == two.read_bytes()
    assert policy.facts["labels"] == load_bundle(one, small_world.catalog).config.labels == EXPECTED
    assert "labels" not in build_policy(SPEC, small_world.catalog, small_world.features).settings()


def test_a_send_is_worth_what_the_best_brings_where_it_brings_anything():
    gain = np.array([[0.0, 1.0, np.nan], [0.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    value = np.array([[0.0, 2.0, 9.0], [0.0, -1.0, 4.0], [0.0, -1.0, -1.0]])
    assert worth_of_a_send(value, gain) == 3.0  # 2 and 4; 9 was refused, and the last row is sent nothing
    assert worth_of_a_send(-value[2:] * 0, gain[2:]) == 1.0  # nothing is worth anything: any unit will do


# ------------------------------------------------------------------ the network


def test_slopes_are_those_of_finite_differences():
    chance = np.random.default_rng(0)
    layers = [Layer(chance.normal(size=s), chance.normal(size=s[1])) for s in [(4, 5), (5, 3), (3, 2)]]
    X, y, mask = chance.normal(size=(20, 4)), chance.normal(size=(20, 2)), (chance.random((20, 2)) < 0.7) * 1.0

    def loss():
        a = np.maximum(X @ layers[0].weight + layers[0].bias, 0)
        b = np.maximum(a @ layers[1].weight + layers[1].bias, 0)
        return (((b @ layers[2].weight + layers[2].bias - y) * mask) ** 2).sum() / mask.sum()

    for layer, slope in zip(layers, gradients(layers, X, y, mask), strict=True):
        for array, found in zip(layer, slope, strict=True):
            for place in list(np.ndindex(array.shape))[::3]:
                kept = array[place]
                array[place] = kept + 1e-6
                above = loss()
                array[place] = kept - 1e-6
                below = loss()
                array[place] = kept
                assert found[place] == pytest.approx((above - below) / 2e-6, abs=1e-4)


def test_it_learns_what_there_is_to_learn_from_allowed_actions_alone():
    """A bent function of two columns; what was refused holds no number."""
    chance = np.random.default_rng(1)
    X = chance.random((6_000, 3)).astype(np.float32)
    truth = np.stack([0 * X[:, 0], 3 + np.maximum(X[:, 0] - 0.5, 0) * 8, -2 * X[:, 1]], axis=1)
    gain = np.where(chance.random(truth.shape) < 0.3, np.nan, truth + chance.normal(0, 0.5, truth.shape))
    gain[:, 0] = 0.0
    network = fit(X, gain.astype(np.float32), FitSettings((32, 32), 30, 256), np.random.default_rng(0))
    fresh = chance.random((2_000, 3)).astype(np.float32)
    said = network(fresh)
    assert (said[:, 0] == 0.0).all()
    wanted = np.stack([3 + np.maximum(fresh[:, 0] - 0.5, 0) * 8, -2 * fresh[:, 1]], axis=1)
    assert np.abs(said[:, 1:] - wanted).mean() < 0.12
    labels = np.concatenate([0 * wanted[:, :1], wanted + chance.normal(0, 0.5, wanted.shape)], axis=1)
    slope, explained = held_out_fit(network, fresh, labels.astype(np.float32))
    assert slope == pytest.approx(1.0, abs=0.05)
    assert explained > 0.9


def test_slopes_of_labels_on_predictions():
    network = ValueNetwork((Layer(np.eye(2, dtype=np.float32), np.zeros(2, np.float32)),), np.zeros(2, np.float32), 1.0)
    X = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    halved = np.stack([0 * X[:, 1], X[:, 1] / 2], axis=1)
    assert held_out_fit(network, X, halved)[0] == pytest.approx(0.5, rel=1e-5)
    assert np.isnan(held_out_fit(network, X[:0], halved[:0])).all()


@given(st.floats(0.0, 1.0))
def test_the_rate_rises_then_falls_and_stays_in_range(part):
    assert 0.0 < one_cycle(part) <= 1.0
    assert one_cycle(0.1) == pytest.approx(1.0)
    later = min(part + 0.05, 1.0)
    if part >= 0.1:
        assert one_cycle(later) <= one_cycle(part) + 1e-12
    elif later <= 0.1:
        assert one_cycle(later) >= one_cycle(part) - 1e-12


# ------------------------------------------------------------------ prices


@pytest.mark.parametrize("fall", [0.0, 0.4, 1.3, -0.5])
def test_priced_layers_decide_as_values_less_prices_do_on_every_day(small_world, fall):
    world, prices, network = small_world, some_prices(small_world, fall=fall), some_network(small_world)
    layers = priced_layers(network, prices, world.catalog, world.features)
    each, panel = prices.of_actions(world.catalog), Panel(world, 300, 4)
    policy = build_policy({"kind": "rollout", "hidden": [8, 8]}, world.catalog, world.features)
    tensors = {f"weight_{i}": layer.weight for i, layer in enumerate(layers)}
    policy.keep(tensors | {f"bias_{i}": layer.bias for i, layer in enumerate(layers)}, None)
    while not panel.done:
        context = panel.observe()
        wanted = network(context.encode(world.features)) - each * (1.0 - fall * panel.day / world.horizon)
        np.testing.assert_allclose(policy.scores(context), wanted, atol=2e-5)
        assert (policy.scores(context)[:, NONE] == 0.0).all()
        assert np.array_equal(acting(policy, world)(panel), by_value(world, network, prices)(panel))
        panel.step(always(1)(panel))


def test_prices_come_back_from_their_array_and_none_is_free(small_world):
    catalog, prices = small_world.catalog, some_prices(small_world)
    again = Prices.from_array(prices.to_array(), catalog)
    assert np.array_equal(again.to_array(), prices.to_array())
    each = prices.of_actions(catalog)
    assert each[NONE] == 0.0
    a = catalog.id_of("coupon20@sms")
    channel, offer = [c.name for c in catalog.channels].index("sms"), [o.name for o in catalog.offers].index("coupon20")
    assert each[a] == pytest.approx(prices.channel[channel] + prices.offer[offer] + prices.any)


def test_prices_in_words(small_world):
    free = Prices.free(small_world.catalog)
    assert in_words(free, small_world.catalog, "EUR") == []
    channel = free.channel.copy()
    channel[[c.name for c in small_world.catalog.channels].index("sms")] = 0.65
    lines = in_words(free._replace(channel=channel, any=-0.2, fall=0.3), small_world.catalog, "EUR")
    assert lines == [
        "any send may be worth 0.20 EUR less than the model says",
        "a send by sms must be worth 0.65 EUR more than the model says",
        "these prices fall by 30% until the end",
    ]


@given(seed=st.integers(0, 50), turn=st.integers(0, 2))
@settings(max_examples=6, deadline=None)
def test_a_turn_of_the_search_never_ends_worse_on_its_own_players(seed, turn):
    world = crl.load_world(SMALL)
    network, begun = some_network(world, seed), Prices.free(world.catalog)
    players = Players(world, network, np.arange(120), seed)
    found = improved(world, players, begun, 0.5, turn)
    before, after = players.values(begun), players.values(found.prices)
    assert after.mean() >= before.mean()
    assert found.gain == pytest.approx(float((after - before).mean()))


def test_players_meet_the_same_luck_and_give_up_what_does_not_help_the_first(small_world):
    players = Players(small_world, some_network(small_world), np.arange(200), 1)
    free = Prices.free(small_world.catalog)
    now = players.values(free)
    assert np.array_equal(now, players.values(free))
    played = players.played
    assert players.values_over(free, now + 1.0) is None  # by a unit worse for everybody
    assert players.played - played == 50  # the first quarter was enough
    assert np.array_equal(players.values_over(free, now - 1.0), now)


def test_starts_lie_apart_and_the_best_is_first(small_world):
    players = Players(small_world, some_network(small_world), np.arange(100), 1)
    found = starts(small_world, players, 1.0, 3)
    margins = [prices.any for prices in found]
    places = [price_search.MARGINS.index(m) for m in margins]
    assert all(abs(a - b) >= price_search.APART for i, a in enumerate(places) for b in places[:i])
    assert players.values(found[0]).mean() == max(
        players.values(Prices.free(small_world.catalog)._replace(any=m)).mean() for m in price_search.MARGINS
    )


# ------------------------------------------------------------------ acceptance


def test_a_paired_gain_is_that_of_differences():
    ours, theirs = np.array([3.0, 5.0, 9.0, 1.0]), np.array([2.0, 5.0, 6.0, 1.0])
    gain = paired_gain(ours, theirs)
    half = 1.959964 * np.std([1, 0, 3, 0], ddof=1) / 2
    assert gain == pytest.approx((1.0, 1.0 - half, 1.0 + half))


def test_the_best_fixed_action_is_the_best_of_all_when_played(small_world):
    ids = np.arange(300)
    value, few = (
        [
            live(small_world, always(a), customers=some, seed=2, expects=True)["expected"].mean()
            for a in range(1, len(small_world.catalog))
        ]
        for some in (ids, ids[: 300 // 8])
    )
    heat = sorted(np.argsort(-np.array(few))[:3])
    assert best_fixed(small_world, customers=ids, seed=2) == 1 + max(heat, key=lambda a: value[a])


def test_baselines_are_those_of_the_world(small_world):
    assert list(baselines_of(small_world, customers=np.arange(50), seed=0)) == [NOTHING, FIXED]
    found = baselines_of(crl.load_world("coupon_trap"), customers=np.arange(50), seed=0)
    assert [found[USUAL].name, found[NOTHING].kind, found[FIXED].kind] == ["rules_coupon_trap", "none", "always"]


def test_a_baseline_decides_as_it_does_in_a_campaign():
    world = crl.load_world("coupon_trap")
    for reference in ("rules_coupon_trap", "uniform"):
        policy = crl.load_policy(reference, world)
        ours = live(world, deciding(policy), customers=200, seed=4)["reward"]
        assert np.array_equal(ours, crl.run_campaign(world, policy, customers=200, seed=4).value)


def test_who_gains_nothing_over_a_baseline_is_refused(small_world):
    """The best fixed action itself is not better than the best fixed action."""
    found = baselines_of(small_world, customers=np.arange(300), seed=0)
    way = ("the same", deciding(found[FIXED]))
    verdict = judged(small_world, way, found, customers=np.arange(5_000, 5_400), seed=0)
    assert not verdict.accepted
    assert verdict.kept == FIXED
    assert verdict.over[FIXED] == (0.0, 0.0, 0.0)
    assert verdict.over[NOTHING].low > 0.0
    alone = {NOTHING: found[NOTHING]}
    assert judged(small_world, way, alone, customers=np.arange(5_000, 5_400), seed=0).kept == "the same"


def test_the_negative_control_is_refused_and_sends_nothing(idle_world):
    policy = crl.train(SPEC, idle_world, customers=300, rounds=2)
    assert policy.config.baseline == {"kind": "none"}
    assert policy.is_trained
    assert not policy.facts["accepted"]
    assert any("so kept: nothing" in line for line in policy.told)
    assert crl.run_campaign(idle_world, policy, customers=200).totals["sent"].sum() == 0.0


def test_where_it_beats_what_there_is_it_is_kept_and_does(small_world, taught):
    assert taught.facts["accepted"]
    ids = np.arange(1 << 41, (1 << 41) + 1_500)
    ours, idle = (
        live(small_world, way, customers=ids, seed=11, expects=True)["expected"]
        for way in (acting(taught, small_world), nothing)
    )
    assert paired_gain(ours, idle).low > 0.0


def test_a_baseline_that_was_kept_is_saved_with_the_policy(small_world, tmp_path):
    rules = {"kind": "rules", "rule": [{"when": "orders >= 1", "send": ["coupon20@push"]}], "only_if": ""}
    for spec in (rules, {"kind": "always", "action": "content@push"}, {"kind": "none"}):
        policy = build_policy({"kind": "rollout", "baseline": spec}, small_world.catalog, small_world.features)
        plain = build_policy(spec, small_world.catalog, small_world.features)
        again = load_bundle(save_bundle(policy, tmp_path / "p.bundle"), small_world.catalog)
        panel = Panel(small_world, 200, 3)
        context = panel.observe()
        may = panel.allowed(context)
        for found in (policy, again):
            assert found.is_trained
            assert np.array_equal(found.probabilities(context, may), plain.probabilities(context, may))
            assert np.array_equal(found.certain_action(context, may), plain.certain_action(context, may))


def test_a_bundle_names_no_other_kind_as_its_baseline(small_world):
    with pytest.raises(SpecError, match="baseline = 'lin_ts' is not one of none, always, rules"):
        build_policy({"kind": "rollout", "baseline": {"kind": "lin_ts"}}, small_world.catalog, small_world.features)


# ------------------------------------------------------------------ a training


def test_same_seed_same_bytes_for_any_threads(small_world, taught, tmp_path):
    again = crl.train(SPEC, small_world, customers=300, rounds=2, seed=3, threads=3)
    other = crl.train(SPEC, small_world, customers=300, rounds=2, seed=4)
    one, two, three = (save_bundle(p, tmp_path / f"{i}.bundle") for i, p in enumerate((taught, again, other)))
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != three.read_bytes()
    assert (taught.curve, taught.facts) == (again.curve, again.facts)


@pytest.mark.parametrize(("part", "calls"), [("labelled", 2), ("improved", 2), ("judged", 1)])
def test_a_killed_training_goes_on_to_the_same_end(part, calls, small_world, taught, tmp_path, monkeypatch):
    kept, made, count = tmp_path / "kept", getattr(trainer, part), [0]
    words = {"customers": 300, "rounds": 2, "seed": 3, "checkpoint": kept}

    def killed(*given, **named):
        count[0] += 1
        if count[0] == calls:
            raise KeyboardInterrupt
        return made(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, part, killed)
        with pytest.raises(KeyboardInterrupt):
            crl.train(SPEC, small_world, **words)
    before = count[0]
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "labelled", lambda *given: pytest.fail("again") if part != "labelled" else made(*given))
        policy = crl.train(SPEC, small_world, **words, resume=True)
    assert before == calls
    a, b = (save_bundle(p, tmp_path / f"{i}.bundle", p.facts) for i, p in enumerate((policy, taught)))
    assert a.read_bytes() == b.read_bytes()
    assert policy.curve == taught.curve


def test_a_checkpoint_of_another_training_is_refused(small_world, tmp_path):
    kept = tmp_path / "kept"
    words = {"rounds": 1, "seed": 3, "checkpoint": kept}
    crl.train(SPEC, small_world, customers=100, **words)
    with pytest.raises(ArtifactError, match="customers = 100 is not 120, as in this call"):
        crl.train(SPEC, small_world, customers=120, **words, resume=True)


def test_progress_counts_up_to_all(small_world):
    seen = []
    crl.train(SPEC, small_world, customers=100, rounds=2, progress=lambda done, of: seen.append((done, of)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]


def test_who_watches_may_end_the_rounds(small_world):
    policy = crl.train(SPEC, small_world, customers=100, rounds=3, watch=lambda point: False)
    assert len(policy.curve) == len(policy.facts["rounds"]) == 1
    assert policy.is_trained


def test_it_learns_on_from_what_it_has_learned(small_world, taught, monkeypatch):
    """The first round is met by the loaded policy, not by sending nothing."""
    met = []

    def labels(world, behave, ids, *rest):
        panel = Panel(world, ids[:200], 3)
        met.append(int((behave(panel) > 0).sum()))
        return labelled(world, behave, ids, *rest)

    monkeypatch.setattr(trainer, "labelled", labels)
    crl.train(SPEC, small_world, customers=60, rounds=1)
    again = build_policy(SPEC, small_world.catalog, small_world.features)
    again.restore(taught.tensors())
    crl.train(again, small_world, customers=60, rounds=1)
    assert met[0] == 0 < met[1]


def test_what_does_not_fit_in_memory_is_said_before(small_world):
    with pytest.raises(UsageError, match=r"customers = 90000000 is not at most [\d,]+ a round.*labels would take"):
        crl.train(SPEC, small_world, customers=90_000_000)


def test_where_nobody_may_be_sent_anything_there_is_nothing_to_learn(small_world):
    world = crl.load_world(SMALL, guard={"holdout": 0.9999999})
    with pytest.raises(SupportError, match="nobody may be sent anything"):
        crl.train(SPEC, world, customers=50, rounds=1)


def test_it_takes_no_log(small_world):
    log = crl.simulate(small_world, "uniform", customers=20)
    with pytest.raises(UsageError, match="one that learns from logs"):
        crl.train(SPEC, log)


def test_one_state_in_twenty_is_kept_out_of_the_fit():
    assert held_out(100).sum() == 5
    assert held_out(0).shape == (0,)


# ------------------------------------------------------------------ the command line


@pytest.mark.slow
def test_by_command_it_is_taught_and_decides(campaignrl, tmp_path):
    spec, bundle = tmp_path / "r.toml", tmp_path / "r.bundle"
    spec.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in SPEC.items()))
    words = ("train", spec, "--world", SMALL, "--customers", 300, "--rounds", 2, "--seed", 3)
    code, out, err = campaignrl(*words, "-o", bundle, "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["kind"] == "rollout"
    assert len(answer["report"]["rounds"]) == 2
    assert "held out: slope" in err
    facts = read_manifest(bundle)["trained_on"]
    assert facts["report"] == answer["report"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.bundle", "r.toml"]  # no checkpoint is left
    code, out, err = campaignrl("simulate", "--world", SMALL, "--policy", bundle, "-n", 50, "--json")
    assert code == 0, err
    code, _, err = campaignrl(*words, "-o", bundle, "--report", tmp_path / "page.html")
    assert code == 0, err
    assert "<svg" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("name", ["coupon_trap", "tight_budget"])
def test_fixed_actions_side_by_side_earn_what_each_earns_alone(name):
    """Also where a budget ties customers together."""
    world, ids = crl.load_world(name), np.arange(40)
    found = fixed_values(world, [1, 3], ids, 5)
    for row, action in zip(found, (1, 3), strict=True):
        alone = live(world, always(action), customers=ids, seed=5, expects=True)["expected"]
        assert np.array_equal(row, alone)


def test_at_a_price_each_unit_of_money_must_bring_so_much_more(shop):
    """What costs nothing keeps its score; what was taught stays as it is."""
    policy = build_policy({"kind": "rollout", "hidden": [8]}, shop.catalog, shop.schema)
    assert not policy.at_price(2.0).is_trained, "nothing was learned, and a price teaches nothing"
    chance = np.random.default_rng(4)
    policy.restore({n: chance.normal(0, 1, a.shape).astype(np.float32) for n, a in policy.tensors().items()})
    context, before = shop.context(200), policy.scores(shop.context(200))
    costs = shop.catalog.cost_of / 100
    assert costs[NONE] == 0.0 < costs.max()
    np.testing.assert_allclose(policy.at_price(25.0).scores(context), before - 25.0 * costs, atol=1e-5)
    np.testing.assert_array_equal(policy.at_price(0.0).scores(context), before)
    np.testing.assert_array_equal(policy.scores(context), before)
    allowed = np.ones((200, 7), dtype=bool)
    spent = [float((policy.at_price(p).probabilities(context, allowed) @ costs).mean()) for p in (0.0, 5.0, 25.0, 1e4)]
    assert spent == sorted(spent, reverse=True)
    assert spent[0] > spent[-1] == 0.0


def untaught(world, seed=2):
    """A policy of some network at some prices."""
    policy = build_policy({"kind": "rollout", "hidden": [8, 8]}, world.catalog, world.features)
    layers = priced_layers(some_network(world, seed), some_prices(world), world.catalog, world.features)
    tensors = {f"weight_{i}": layer.weight for i, layer in enumerate(layers)}
    policy.restore(tensors | {f"bias_{i}": layer.bias for i, layer in enumerate(layers)})
    return policy


def test_further_prices_on_top_are_taken_off_the_scores(small_world):
    world = small_world
    policy, prices = untaught(world), some_prices(world, seed=5, fall=0.3)
    layers = repriced(list(policy.layers), prices, world.catalog, world.features)
    panel = Panel(world, 100, seed=1)
    for _ in range(3):
        seen = panel.observe().encode(world.features)
        before, after = (unpriced(some, world.catalog)(seen) for some in (list(policy.layers), layers))
        off = prices.of_actions(world.catalog) * (1.0 - prices.fall * panel.day / world.horizon)
        np.testing.assert_allclose(after, before - off, atol=1e-4)
        panel.step(nothing(panel))


@pytest.mark.slow
def test_one_policy_serves_a_budget_it_was_not_taught_under():
    """On whom its prices are found it brings no less at each step; it keeps to the money and stays what it was."""
    guard = crl.load_world("tight_budget").model_dump(exclude_unset=True)["guard"]
    world = crl.load_world("tight_budget", guard=guard | {"budget": {"amount_per_1000_customers": 20.0}})
    policy = untaught(world)
    before = policy.tensors()
    money, again, prices = (policy.priced_for(world, players=80, turns=turns) for turns in (0, 0, 1))
    assert all(np.array_equal(before[name], array) for name, array in policy.tensors().items())
    assert all(np.array_equal(again.tensors()[name], array) for name, array in money.tensors().items())
    value = {
        (block, turns): Players(world, unpriced(list(p.layers), world.catalog), ids_of_block(block, 80), 0)
        .values(Prices.free(world.catalog))
        .mean()
        for block, some in ((ASKED, (policy, money)), (TURN, (money, prices)))
        for turns, p in enumerate(some)
    }
    assert value[ASKED, 1] > value[ASKED, 0]
    assert value[TURN, 1] >= value[TURN, 0]
    cost = live(world, acting(prices, world), customers=ids_of_block(TURN, 300), seed=0)["cost"]
    assert 0.0 < cost.sum() <= 20.0 * 300 / 1000 + 1e-6


def test_a_baseline_knows_no_price(small_world):
    spec = {"kind": "rollout", "baseline": {"kind": "none"}}
    policy = build_policy(spec, small_world.catalog, small_world.features)
    assert policy.priced_for(small_world).settings() == policy.settings()


def test_a_policy_of_fewer_features_learns_by_these_alone(small_world):
    """As where a real log knows less of its customers than the world does."""
    few = FeatureSchema(tuple(f for f in small_world.features.features if f.name in ("segment", "orders")))
    policy = crl.load_policy(SPEC, small_world.catalog, features=few)
    crl.train(policy, small_world, customers=300, rounds=1)
    assert policy.layers[0].weight.shape[0] == few.width < small_world.features.width
    panel = Panel(small_world, 50, seed=1)
    context, allowed = panel.observe(), panel.allowed(panel.observe())
    whole = policy.probabilities(context, allowed)
    np.testing.assert_array_equal(whole, policy.probabilities(context.to_schema(few), allowed))

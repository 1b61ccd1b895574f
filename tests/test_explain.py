"""Why one customer gets what it gets: contributions that add up, a runner-up that is one, changes that do change it."""

import json
import sys

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.actions import NONE
from campaignrl.cli import main as cli
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import UsageError
from campaignrl.features import Context
from campaignrl.policies import copy_of
from campaignrl.send.explain import BACKGROUND, explained

DAY = "2026-11-21"


@pytest.fixture(scope="module")
def shop():
    world = crl.load_world("ecommerce")
    policy = copy_of(crl.load_policy("pretrained/ecommerce", world), explore=0.0)
    frame = customers_frame(Panel(world, 200, 3))
    return world, policy, frame, crl.decide(policy, frame, world, day=DAY)


def test_contributions_of_an_additive_score_are_exact(shop):
    """Of a linear score: coefficient x (value - mean over the background), whatever the orders drawn."""
    world, _, _, found = shop

    class Additive:
        name = kind = "additive"
        catalog = world.catalog

        def scores(self, context):
            out = np.zeros((len(context.columns["orders"]), len(self.catalog)))
            out[:, 1] = 0.5 * context.columns["orders"] - 0.1 * context.columns["recency_days"]
            out[:, 1] += 2.0 * (context.columns["device"] == 0)
            return out

    row = int(np.flatnonzero(found.eligible[:, 1])[0])
    action = np.full(len(found.ids), 1)
    told = explained(crl.Decisions(**{**vars(found), "action": action}), Additive(), world, found.ids[row])
    back = np.linspace(0, len(found.ids) - 1, BACKGROUND).astype(int)
    columns = found.context.columns

    def lead(name, factor):
        return factor * (columns[name][row] - columns[name][back].mean())

    device = 2.0 * ((columns["device"][row] == 0) - (columns["device"][back] == 0).mean())
    expected = {"orders": lead("orders", 0.5), "recency_days": lead("recency_days", -0.1), "device": device}
    assert {name: effect for name, _, effect in told.because} == pytest.approx(expected, rel=1e-6)
    assert [abs(effect) for _, _, effect in told.because] == pytest.approx(
        sorted(map(abs, expected.values()), reverse=True)
    )


def test_the_second_is_the_best_of_the_rest_and_each_change_makes_it_win(shop):
    world, policy, _, found = shop
    changed = 0
    for row in range(0, 60):
        told = explained(found, policy, world, found.ids[row])
        assert told.action == world.catalog.names[found.action[row]]
        assert told.reason == found.reason[row]
        if not told.second:
            assert found.eligible[row].sum() == 1
            continue
        scores = np.where(found.eligible[row], policy.scores(found.context.take([row]))[0], -np.inf)
        order = np.argsort(-scores, kind="stable")
        assert told.second == world.catalog.names[order[1]]
        assert told.behind == pytest.approx(scores[order[0]] - scores[order[1]])
        for text in told.would_change:
            name, _, value = text.partition(" were ")
            feature = next(f for f in world.features.features if f.name == name)
            one = {n: v.copy() for n, v in found.context.take([row]).columns.items()}
            one[name][0] = feature.levels.index(value) if feature.levels else float(value)
            now = np.where(found.eligible[row], policy.scores(Context(world.features, one))[0], -np.inf)
            if not feature.levels and now.argmax() != order[1]:
                continue  # the text is rounded to four digits
            assert now.argmax() == order[1]
            changed += 1
    assert changed > 20


def test_of_what_was_explored_the_best_is_ahead(shop):
    """The policy that ships leaves a twentieth to chance: what it would rather have sent comes second, and is ahead."""
    world, greedy, frame, found = shop
    drawn = crl.decide("pretrained/ecommerce", frame, world, day=DAY)
    other = np.flatnonzero(drawn.action != found.action)
    assert 0 < len(other) < 0.1 * len(frame)
    for row in other:
        told = explained(drawn, greedy, world, drawn.ids[row])
        assert told.reason.startswith("exploring")
        assert (told.second, told.would_change) == (world.catalog.names[found.action[row]], ())
        assert any(line.startswith("next") and " ahead" in line for line in told.lines())


def test_every_refused_action_is_told_with_its_rule(shop):
    world, policy, frame, found = shop
    for row in range(40):
        told = explained(found, policy, world, found.ids[row])
        refused = {name for _, names in told.refused for name in names}
        for action in np.flatnonzero(~found.eligible[row]):
            offer, channel = world.catalog.names[action].split("@")
            assert refused & {"everything", f"every {offer}", f"every {channel}", f"{offer}@{channel}"}
        for rule, _ in told.refused:
            assert rule in found.blocked[row].split("; ")
        if frame["consent_sms"][row] == 0 and "everything" not in refused:
            assert ("no consent: sms", ("every sms",)) in told.refused


def test_who_gets_nothing_is_told_what_was_next(shop):
    world, policy, _, found = shop
    idle = [row for row in range(200) if found.action[row] == NONE and found.eligible[row].sum() > 1]
    for row in idle[:5]:
        told = explained(found, policy, world, found.ids[row])
        assert told.lines()[0].startswith(f"{found.ids[row]} gets nothing: ")
        assert told.second != "none"
    with pytest.raises(UsageError, match="a customer of the table"):
        explained(found, policy, world, "nobody")


def test_the_verb_answers_without_writing(shop, tmp_path, monkeypatch, capsys):
    world, _, frame, found = shop
    frame.to_csv(tmp_path / "c.csv", index=False)
    words = ["decide", "pretrained/ecommerce", tmp_path / "c.csv", "--as-of", DAY]

    def call(*more):
        monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, (*words, *more))])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr()

    code, said = call("--explain", found.ids[0], "--json")
    assert not code
    assert json.loads(said.out)["action"] == world.catalog.names[found.action[0]]
    _, said = call("--explain", found.ids[0])
    assert said.out.startswith(f"{found.ids[0]} gets ")
    assert call("--explain", "nobody")[0] == 2
    assert call()[0] == 2  # no -o
    assert not call("--dry-run")[0]
    assert [p.name for p in tmp_path.iterdir()] == ["c.csv"]

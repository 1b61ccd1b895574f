"""Fixed policies and tables of rules, by hand; building from specs, names and files; the bundled policies."""

from pathlib import Path

import numpy as np
import pytest

from campaignrl.errors import ArtifactError, SpecError, UnknownName
from campaignrl.features import Context
from campaignrl.policies.bundle import save_bundle
from campaignrl.policies.loading import build_policy, load_policy
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world

NONE, CONTENT_PUSH, CONTENT_SMS, COUPON10_PUSH, COUPON10_SMS, COUPON20_PUSH, COUPON20_SMS = range(7)


def customers(shop, segment, contacts):
    context = shop.context(len(segment))
    columns = {**context.columns, "segment": np.array(segment), "contacts_7d": np.array(contacts, dtype=float)}
    return Context(shop.schema, columns)


def table(shop, **settings):
    return build_policy({"kind": "rules", **settings}, shop.catalog, shop.schema)


def test_first_matching_rule_with_an_allowed_action_decides(shop):
    policy = table(
        shop,
        only_if="contacts_7d < 7",
        rule=[
            {"when": "segment == 'price_sensitive'", "send": ["coupon20@sms", "coupon20@push"]},
            {"when": "contacts_7d > 3", "send": ["none"]},
            {"send": ["content@push"]},
        ],
    )
    context = customers(shop, segment=[1, 1, 1, 0, 0, 1, -1], contacts=[0, 0, 0, 5, 0, 7, 0])
    allowed = np.ones((7, 7), dtype=bool)
    allowed[1, COUPON20_SMS] = False  # the second choice of the rule
    allowed[2, [COUPON20_SMS, COUPON20_PUSH]] = False  # the next rule that holds
    taken = policy.probabilities(context, allowed).argmax(axis=1)
    assert taken.tolist() == [COUPON20_SMS, COUPON20_PUSH, CONTENT_PUSH, NONE, CONTENT_PUSH, NONE, CONTENT_PUSH]


def test_explored_share_is_spread_over_what_is_allowed(shop):
    policy = table(shop, explore=0.2, rule=[{"send": ["content@push"]}])
    allowed = np.array([[True, True, False, True, True, False, False]])
    p = policy.probabilities(shop.context(1), allowed)
    np.testing.assert_allclose(p, [[0.05, 0.85, 0, 0.05, 0.05, 0, 0]])


def test_rules_need_only_the_features_they_read(shop):
    policy = table(shop, rule=[{"when": "orders > 1", "send": ["content@push"]}])
    assert policy.schema.names == ("orders",)


def test_all_mistakes_of_a_table_are_reported_at_once(shop):
    with pytest.raises(SpecError) as caught:
        table(shop, only_if="stge == 'new'", rule=[{"when": "segment == 'loyl'", "send": ["coupon20@sns", "none"]}])
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "Did you mean 'coupon20@sms'?" in text
    assert "Did you mean 'loyal'?" in text
    assert "policy rules: rule 1" in text


def test_uniform_with_a_share_for_none(shop):
    policy = build_policy({"kind": "uniform", "none_share": 0.7}, shop.catalog, shop.schema)
    allowed = np.zeros((3, 7), dtype=bool)
    allowed[0, [0, 1, 2, 3]] = allowed[1, 0] = allowed[2, [5, 6]] = True
    p = policy.probabilities(shop.context(3), allowed)
    expected = [[0.7, 0.1, 0.1, 0.1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0.5, 0.5]]
    np.testing.assert_allclose(p, expected)


def test_always_where_allowed_else_none(shop):
    policy = load_policy("always:coupon20@sms", shop.catalog, shop.schema)
    allowed = np.ones((2, 7), dtype=bool)
    allowed[1, COUPON20_SMS] = False
    assert policy.probabilities(shop.context(2), allowed).argmax(axis=1).tolist() == [COUPON20_SMS, NONE]
    assert policy.name == "always:coupon20@sms"


@pytest.mark.parametrize(
    ("reference", "error", "said"),
    [
        ("always:coupon20@sns", UnknownName, "Did you mean 'coupon20@sms'?"),
        ("lin_tss", UnknownName, "no policy named 'lin_tss'. Did you mean 'lin_ts'?"),
        ("nowhere.bundle", UnknownName, "Or give a bundle"),
        ("always", SpecError, "action"),
        (".", UnknownName, "no policy named '.'"),
    ],
)
def test_a_bad_reference_says_what_would_do(reference, error, said, shop):
    with pytest.raises(error) as caught:
        load_policy(reference, shop.catalog, shop.schema)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"kind": "linucb"}, "kind = 'linucb' is not one of"),
        ({}, "kind = None"),
        ({"kind": "lin_ts", "drws": 3}, "Did you mean 'draws'?"),
        ({"kind": "lin_ts", "draws": 0}, "draws"),
        ({"kind": "lin_ts", "draws": 256}, "draws"),
        ({"kind": "lin_ts", "l2": 0}, "l2"),
        ({"kind": "lin_ts", "l2": "some"}, "l2"),
        ({"kind": "lin_ts", "explore": float("nan")}, "explore"),
        ({"kind": "uniform", "none_share": 1.2}, "none_share"),
        ({"kind": "rules"}, "rule"),
        ({"kind": "rules", "rule": [{"send": []}]}, "send"),
        ({"kind": "rules", "rule": [{"when": "__import__('os')", "send": ["none"]}]}, "condition"),
        ({"kind": "always", "action": "nothing"}, "action = 'nothing' is not an action of the catalog"),
    ],
)
def test_a_bad_spec_names_the_setting(spec, said, shop):
    with pytest.raises(SpecError) as caught:
        build_policy(spec, shop.catalog, shop.schema)
    assert said in str(caught.value)


def test_a_spec_file_and_a_bundle_load_by_path(shop, tmp_path):
    path = tmp_path / "two coupons.toml"
    path.write_text('kind = "rules"\nabout = "x"\n[[rule]]\nsend = ["coupon20@sms", "coupon10@sms"]\n')
    policy = load_policy(path, shop.catalog, shop.schema)
    assert policy.name == "two coupons"
    loaded = load_policy(save_bundle(policy, tmp_path / "b.bundle"), shop.catalog, shop.schema)
    assert loaded.settings() == policy.settings()
    path.write_text("kind = ")
    with pytest.raises(SpecError, match="is not TOML"):
        load_policy(path, shop.catalog, shop.schema)
    path.rename(tmp_path / "notes.txt")
    with pytest.raises(ArtifactError, match="is not a bundle"):
        load_policy(tmp_path / "notes.txt", shop.catalog, shop.schema)


def test_the_seed_of_a_spec_wins_over_the_seed_of_the_call(shop):
    spec = {"kind": "lin_ts"}
    assert build_policy(spec, shop.catalog, shop.schema, seed=3).settings()["seed"] == 3
    assert build_policy({**spec, "seed": 9}, shop.catalog, shop.schema, seed=3).settings()["seed"] == 9


@pytest.mark.parametrize("name", sorted(bundled_files("policies")))
def test_bundled_policies_fit_the_world_they_are_for(name):
    table_of = name.removeprefix("rules_")
    world = load_world(table_of if table_of in bundled_files("envs") else "ecommerce")
    policy = load_policy(name, world.catalog, world.features)
    assert policy.name == name


def test_the_index_names_every_bundled_policy():
    text = (Path(__file__).parents[1] / "policies" / "README.md").read_text()
    named = {line.split("[")[1].split("]")[0] for line in text.splitlines() if line.startswith("| [")}
    assert named == set(bundled_files("policies"))


def test_rules_of_the_ecommerce_world_send_what_its_guard_lets_through():
    """No customer group gets an offer that the world's own conditions bar it from."""
    world = load_world("ecommerce")
    policy = load_policy("rules", world.catalog, world.features)
    chance = np.random.default_rng(0)
    n = 4000
    columns = {
        f.name: chance.integers(0, len(f.levels), n) if f.levels else chance.uniform(f.low, f.high, n)
        for f in world.features.features
    }
    columns["contacts_7d"] = chance.integers(0, 3, n).astype(float)
    columns["orders"] = np.where(columns["stage"] <= 1, columns["stage"], 5).astype(float)  # 0 prospect, 1 new
    context = Context(world.features, columns)
    taken = policy.probabilities(context, np.ones((n, len(world.catalog)), dtype=bool)).argmax(axis=1)
    assert len(set(taken)) > 8
    assert (taken[columns["contacts_7d"] > 1] == 0).all()
    for offer, condition in world.conditions.items():
        sent = np.isin(taken, [i for i, a in enumerate(world.catalog.actions) if a.offer == offer])
        assert condition.holds(context)[sent].all(), offer


@pytest.mark.parametrize("name", [5, True, ["a"]])
def test_a_name_that_is_no_text_is_refused(name):
    with pytest.raises(SpecError, match=r"name = .* is not a text"):
        load_policy({"kind": "uniform", "name": name}, "coupon_trap")

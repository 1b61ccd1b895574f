"""Suites: what a file may say, which runs follow from it, and how mistakes are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaignrl.errors import SpecError, UnknownName
from campaignrl.policies import policy_hash
from campaignrl.policies.loading import load_policy
from campaignrl.recorder import MAX_LOG_ROWS
from campaignrl.specs import world_hash
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world
from campaignrl.suites.identity import identify
from campaignrl.suites.measure import FIRST_EVALUATED, evaluation_ids
from campaignrl.suites.plan import plan
from campaignrl.suites.suite import NONE, Gate, PolicyUse, Suite, load_suite


def suite_of(*policies, **changes):
    uses = [PolicyUse(use=use) for use in policies or ("rules",)]
    return Suite(**{"worlds": ["ecommerce"], "policy": uses, "seeds": 2, "customers": 50, "horizon": 10, **changes})


labels = st.lists(st.text("abcdefgh", min_size=1, max_size=5), min_size=1, max_size=4, unique=True)


@given(worlds=labels, policies=labels, seeds=st.integers(1, 6))
def test_a_plan_is_every_combination_once(worlds, policies, seeds):
    runs = plan(suite_of(*policies, worlds=worlds, seeds=seeds))
    assert len(runs) == len(set(runs)) == len(worlds) * (len(policies) + 1) * seeds
    assert {run.world for run in runs} == set(worlds)
    assert {run.policy for run in runs} == {NONE, *policies}
    assert {run.seed for run in runs} == set(range(seeds))
    assert plan(suite_of(*policies, worlds=worlds, seeds=seeds + 1))[:seeds] == runs[:seeds]


def test_none_is_played_once_even_when_it_is_listed():
    assert [run.policy for run in plan(suite_of("none", "rules", seeds=1))] == ["none", "rules"]


@pytest.mark.parametrize("name", sorted(bundled_files("experiments")))
def test_bundled_suites_name_only_what_exists(name):
    suite = load_suite(name)
    assert set(identify(suite).worlds) == set(suite.world_of)


def test_files_beside_the_suite_are_found_and_named_by_their_stem(tmp_path, monkeypatch):
    (tmp_path / "quiet.toml").write_text("kind = 'uniform'\nnone_share = 0.9\n")
    (tmp_path / "s.toml").write_text("worlds = ['ecommerce']\n[[policy]]\nuse = 'quiet.toml'\n")
    monkeypatch.chdir("/")
    suite = load_suite(tmp_path / "s.toml", seeds=3)
    assert (suite.name, suite.seeds, list(suite.policies)) == ("s", 3, [NONE, "quiet"])
    assert ("ecommerce", "quiet") in identify(suite).policies


BAD = {
    "unknown key": ("sedes = 3", ["sedes", "seeds"]),
    "no policy": ("policy = []", ["policy"]),
    "zero seeds": ("seeds = 0", ["seeds"]),
    "margin in percent": ("[compare]\nmargin = 5", ["margin"]),
    "not a number": ("[compare]\nmargin = nan", ["margin"]),
    "baseline not played": ("[compare]\nbaseline = 'ruls'", ["baseline", "'ruls'", "'rules'"]),
    "same label twice": ("[[policy]]\nuse = 'uniform'\nlabel = 'rules'", ["label", "given once"]),
    "none is another policy": ("[[policy]]\nuse = 'uniform'\nlabel = 'none'", ["never sends"]),
    "escape sequence": ("[[policy]]\nuse = 'uniform'\nlabel = \"\\u001b[31m\"", ["label"]),
    "text that turns around": ('[[policy]]\nuse = "\\u202euniform"', ["printable"]),
}


@pytest.mark.parametrize(("addition", "said"), BAD.values(), ids=BAD)
def test_a_mistake_in_a_suite_is_told(tmp_path, addition, said):
    policy = "" if "policy" in addition and "[[" not in addition else "[[policy]]\nuse = 'rules'\n"
    head, tables = (addition, "") if "[" not in addition or "= []" in addition else ("", addition)
    path = tmp_path / "bad.toml"
    path.write_text(f"worlds = ['ecommerce']\n{head}\n{policy}{tables}\n", encoding="utf-8")
    with pytest.raises(SpecError) as wrong:
        load_suite(path)
    assert all(word in str(wrong.value) for word in ["bad.toml", *said])


def test_all_unknown_names_are_told_at_once_with_the_nearest():
    suite = suite_of("lin_tss", "always:coupon21@sms", worlds=["ecomerce", "ecommerce"])
    with pytest.raises(SpecError) as wrong:
        identify(suite)
    said = str(wrong.value)
    assert all(word in said for word in ["'ecomerce'", "'ecommerce'", "'lin_ts'", "coupon20@sms"])


def test_a_learner_cannot_play_the_first_round():
    suite = suite_of("lin_ts", train={"explore": "lin_ts"})
    with pytest.raises(SpecError, match="explore"):
        identify(suite)


def test_training_too_large_for_memory_is_told_before_anything_runs():
    with pytest.raises(SpecError, match="customers"):
        identify(suite_of("lin_ts", train={"customers": 40_000_000}))
    identify(suite_of("rules", train={"customers": 40_000_000}))  # nobody learns


def test_an_unknown_suite_offers_the_nearest():
    with pytest.raises(UnknownName, match="smoke"):
        load_suite("smok")


def test_customers_taught_on_are_never_evaluated():
    assert evaluation_ids(3).tolist() == [FIRST_EVALUATED, FIRST_EVALUATED + 1, FIRST_EVALUATED + 2]
    assert FIRST_EVALUATED > MAX_LOG_ROWS * 100  # ids of training count up from 0, at most 100 rounds of one log each


def test_texts_for_people_do_not_change_the_hash_of_a_world_and_behaviour_does():
    world = load_world("ecommerce")
    assert world_hash(world) == world_hash(load_world("ecommerce", title="Ein Laden"))
    assert world_hash(world) != world_hash(load_world("ecommerce", horizon=world.horizon + 1))
    turned = load_world("ecommerce", offers=dict(reversed(world.model_dump()["offers"].items())))
    assert world_hash(world) != world_hash(turned)  # ids follow the order


def test_settings_change_the_hash_of_a_policy():
    world = load_world("ecommerce")
    one, same, other = (
        policy_hash(load_policy(name, world.catalog, world.features, seed))
        for name, seed in [("lin_ts", 0), ("lin_ts", 0), ("lin_ts", 1)]
    )
    assert one == same != other


def test_the_gate_allows_one_percent_by_default():
    assert Gate().margin == 0.01

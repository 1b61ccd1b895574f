"""The public API between its verbs: names, paths, dicts and frames wherever objects are; what goes out comes back."""

import datetime
import importlib.util

import numpy as np
import pandas as pd
import pytest

import campaignrl as crl
from campaignrl.envs import Panel, customers_frame
from campaignrl.specs import bundled_files

DAY = "2026-11-21"
HOSTILE = '<img src=x onerror="alert(1)">\n\u202e& Co'


@pytest.fixture(scope="module")
def log():
    return crl.simulate("coupon_trap", "uniform", customers=150, seed=7)


@pytest.fixture(scope="module")
def frame():
    return customers_frame(Panel(crl.load_world("coupon_trap"), 120))


@pytest.mark.parametrize("name", sorted(bundled_files("envs")))
def test_a_world_that_is_saved_is_the_same_world(name, tmp_path):
    world = crl.load_world(name)
    again = crl.load_world(crl.save_world(world, tmp_path / "other name.toml"))
    assert again == world
    assert again.catalog.hash == world.catalog.hash


def test_a_world_keeps_every_digit_and_its_provenance(tmp_path):
    tables = crl.load_world("coupon_trap").model_dump(exclude_unset=True)
    tables["tenure_days"] = 100.0 / 3.0
    tables["provenance"] = {"tenure_days": {"how": "fitted", "se": 1.0 / 7.0, "n": 12.0, "by": HOSTILE}}
    world = crl.load_world(tables)
    again = crl.load_world(crl.save_world(world, tmp_path / "w.toml"))
    assert again.tenure_days == 100.0 / 3.0
    assert again.provenance == world.provenance
    with pytest.raises(crl.UsageError, match=r"NAME\.toml"):
        crl.save_world(world, tmp_path / "w")


def test_a_world_from_a_dict_has_every_mistake_told_at_once():
    tables = crl.load_world("coupon_trap").model_dump(exclude_unset=True)
    with pytest.raises(crl.SpecError) as refused:
        crl.load_world({**tables, "horizon": 0, "colour": "red"})
    assert {problem.field for problem in refused.value.problems} == {"horizon", "key"}
    assert crl.load_world({k: v for k, v in tables.items() if k != "name"}).name == "world"


def test_every_verb_takes_a_world_as_a_dict():
    tables = {**crl.load_world("coupon_trap").model_dump(exclude_unset=True), "horizon": 14, "outcome_days": 7}
    assert len(crl.simulate(tables, customers=10)) == 140
    assert crl.run_campaign(tables, "none", customers=10).world.horizon == 14
    if importlib.util.find_spec("stable_baselines3") is not None:  # the extra `rl`
        assert crl.sb3_env(tables, 2).num_envs == 2
    assert crl.compare("none", "uniform", world=tables, seeds=2, customers=10).rows[0].seeds == 2
    assert crl.load_policy("lin_ts", tables).catalog.hash == crl.load_world("coupon_trap").catalog.hash


def test_a_log_goes_through_a_frame_unchanged(log):
    again = crl.DecisionLog.from_frame(log.to_frame(), catalog=log.catalog, features=log.context.schema, meta=log.meta)
    for name in ("step", "day", "action", "propensity", "reward", "cost", "matured", "eligible"):
        np.testing.assert_array_equal(getattr(again, name), getattr(log, name))
    np.testing.assert_array_equal(again.customers[again.customer], log.customers[log.customer])
    for name, values in log.context.columns.items():
        np.testing.assert_array_equal(again.context.columns[name], values)
    assert again.meta == log.meta


def test_a_frame_of_ones_own_needs_only_what_cannot_be_told(log):
    few = pd.DataFrame(
        {"customer_id": ["a", "a", "b"], "step": [0, 1, 0], "action": [0, 1, 2], "propensity": 0.5, "reward": 1.0}
    )
    made = crl.DecisionLog.from_frame(few, catalog=log.catalog)
    assert made.decision_id.tolist() == ["a-0", "a-1", "b-0"]
    assert made.matured.all()
    assert made.day.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(made.cost, log.catalog.cost_of[[0, 1, 2]])
    assert crl.evaluate(made, "logged").n == 3


def test_a_frame_with_faults_is_refused_with_its_rows(log):
    frame = log.to_frame().head(10)
    frame.loc[3, "propensity"] = 1.5
    frame.loc[4, "reward"] = np.nan
    with pytest.raises(crl.DataError) as refused:
        crl.DecisionLog.from_frame(frame, catalog=log.catalog, features=log.context.schema)
    assert {problem.field for problem in refused.value.problems} == {"propensity", "reward"}
    with pytest.raises(crl.DataError, match="action"):
        crl.DecisionLog.from_frame(frame.drop(columns="action"), catalog=log.catalog.from_names(["a"]))


def test_a_log_is_named_by_its_file(log, tmp_path):
    path = tmp_path / "log.parquet"
    crl.write_log(log, path)
    policy = crl.train("lin_ts", str(path))
    bundle = crl.save_policy(policy, tmp_path / "lin_ts.bundle", trained_on=log)
    said = crl.evaluate(str(path), str(bundle))
    kept = crl.evaluate(log, bundle)
    assert said.to_dict()["estimates"] == kept.to_dict()["estimates"]
    assert crl.compare_many_on_log(path, {"lin_ts": bundle})[0].policy == "lin_ts"
    assert crl.evaluate_stream(path, bundle, estimators=("ips",)).n == said.n


def test_a_saved_policy_remembers_whom_it_learned_from(log, tmp_path):
    policy = crl.train("lin_ts", log)
    bundle = crl.save_policy(policy, tmp_path / "lin_ts.bundle", trained_on=log)
    again = crl.save_policy(crl.load_policy(bundle), tmp_path / "again.bundle")
    assert again.read_bytes() == bundle.read_bytes()
    assert any("learned" in reason for reason in crl.evaluate(log, again).reasons)
    with pytest.raises(crl.UsageError, match=r"NAME\.bundle"):
        crl.save_policy(policy, tmp_path / "lin_ts.toml")


def test_only_a_bundle_knows_its_own_world():
    with pytest.raises(crl.UsageError, match=r"load_policy\('rules', world='ecommerce'\)"):
        crl.load_policy("rules")
    with pytest.raises(crl.UnknownName, match="Did you mean 'lin_ts'"):
        crl.load_policy("lin_tz")
    with pytest.raises(crl.ArtifactError, match="catalog"):
        crl.load_policy("pretrained/ecommerce", "coupon_trap")


def test_decide_takes_a_frame_a_file_and_a_table_alike(frame, tmp_path):
    path = tmp_path / "customers.parquet"
    frame.to_parquet(path)
    table = crl.read_customers(frame, "coupon_trap")
    ways = [frame, path, str(path), table]
    days = [DAY, datetime.date(2026, 11, 21), datetime.datetime(2026, 11, 21, 9), DAY]
    world = crl.load_world("coupon_trap")
    worlds = ["coupon_trap", world, world.model_dump(exclude_unset=True), "coupon_trap"]
    found = [crl.decide("uniform", way, w, day=day) for way, w, day in zip(ways, worlds, days, strict=True)]
    for other in found[1:]:
        pd.testing.assert_frame_equal(other.to_frame(), found[0].to_frame(), check_exact=True)
    assert found[0].write_sends(tmp_path / "sends.csv").read_text().startswith("customer_id,ts,offer,channel")


def test_a_customers_table_goes_through_a_frame_unchanged(frame):
    table = crl.read_customers(frame, "coupon_trap")
    again = crl.read_customers(table.to_frame(), "coupon_trap")
    pd.testing.assert_frame_equal(again.to_frame(), table.to_frame(), check_exact=True)
    np.testing.assert_array_equal(again.consent, table.consent)
    assert all((again.contacts[window] == counts).all() for window, counts in table.contacts.items())


def test_nobody_on_the_suppression_list_is_sent_anything(frame, tmp_path):
    ids = frame["customer_id"].astype(str)[:40].tolist()
    table = pd.DataFrame({"customer_id": ids})
    table.to_csv(tmp_path / "stop.csv", index=False)
    for suppressed in (ids, table, tmp_path / "stop.csv"):
        sent = crl.decide("uniform", frame, "coupon_trap", day=DAY, suppressed=suppressed).sends()
        assert len(sent)
        assert not set(sent["customer_id"]) & set(ids)
    with pytest.raises(crl.DataError, match="failed export"):
        crl.decide("uniform", frame, "coupon_trap", day=DAY, suppressed=table.head(0))
    with pytest.raises(crl.UsageError, match="read_customers"):
        crl.decide("uniform", crl.read_customers(frame, "coupon_trap"), "coupon_trap", day=DAY, suppressed=ids)


def test_a_day_that_is_none_is_refused(frame):
    with pytest.raises(crl.UsageError, match="2026-11-21"):
        crl.decide("uniform", frame, "coupon_trap", day="tomorrow")


def nouns(log, frame, name):
    """One of each noun, all of a world, a policy and a log that bear a hostile name."""
    world = crl.load_world("coupon_trap", name=name, title=name)
    policy = crl.load_policy({"kind": "lin_ts", "name": name}, world)
    policy.update(log)
    hostile = crl.DecisionLog.from_frame(
        log.to_frame().drop(columns="policy_id"), catalog=log.catalog, features=log.context.schema,
        meta={**log.meta, "policy_id": name, "reward": name},
    )  # fmt: skip
    yield world
    yield policy
    yield hostile
    yield crl.run_campaign(world, policy, customers=20)
    yield crl.evaluate(hostile, policy)
    yield crl.evaluate(hostile, policy, estimators=("pdis",))
    yield crl.compare(policy, "none", world=world, seeds=2, customers=20)
    yield crl.decide(policy, frame, world, day=DAY)
    yield crl.DecisionLog.from_frame(
        pd.DataFrame({"customer_id": ["a"], "step": [0], "action": [1], "propensity": [0.5], "reward": [1.0]}),
        catalog=crl.Catalog.from_names([name]),
    )
    yield crl.Catalog.from_names([name])


def test_every_noun_shows_itself_in_a_line_and_safely_in_a_notebook(log, frame):
    seen = set()
    for noun in nouns(log, frame, HOSTILE):
        line, page = repr(noun), noun._repr_html_()
        assert "\n" not in line
        assert len(line) < 250
        assert line.isprintable()
        assert "<img" not in page
        assert page.startswith("<div>")
        seen.add(type(noun).__name__)
    assert {"World", "LinTS", "DecisionLog", "Campaign", "Evaluation", "Comparison", "Decisions", "Catalog"} <= seen


def test_every_kind_of_policy_shows_itself():
    from campaignrl.policies import KINDS, Shown, policy_class

    assert all(issubclass(policy_class(kind), Shown) for kind in KINDS)


def test_a_campaign_gives_a_frame():
    campaign = crl.run_campaign("coupon_trap", "uniform", customers=30)
    frame = campaign.to_frame()
    assert len(frame) == 30
    np.testing.assert_array_equal(frame["reward"], campaign.value)
    assert set(frame["segment"]) <= set(campaign.world.segments)

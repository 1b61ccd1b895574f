"""Decisions for real customers: within the rules, the same however they are asked for, each with its reason."""

import datetime
import errno
import sys
from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

import campaignrl as crl
from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.campaign import simulate
from campaignrl.cli import main as cli
from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.panel import Panel
from campaignrl.errors import ArtifactError, SupportError, UsageError
from campaignrl.guard.rules import allowed, cap_windows, rules_of
from campaignrl.policies.loading import load_policy
from campaignrl.rng import Purpose
from campaignrl.send import facts_of
from campaignrl.send.decide import decide
from campaignrl.specs.world import load_world
from campaignrl.tables.customers import read_customers
from campaignrl.tables.files.whole_files import read_frame, write_frame
from campaignrl.training import train

DAY = datetime.date(2026, 11, 21)
N = 150


def read(frame, world, **how):
    return read_customers(frame, world.features, list(world.channels), cap_windows(world), **how)


@pytest.fixture(scope="module")
def frame(small_world):
    panel = Panel(small_world, N, seed=5)
    for day in range(4):
        panel.step(np.where(panel.allowed(panel.observe())[:, 2], 2, 0) * (panel.ids % 4 == day))
    return customers_frame(panel)


@pytest.fixture(scope="module", params=["uniform", "lin_ts"])
def policy(request, small_world):
    if request.param == "lin_ts":
        return train("lin_ts", simulate(small_world, customers=150, seed=1))
    return load_policy("uniform", small_world.catalog, small_world.features)


@pytest.fixture(scope="module")
def decided(small_world, frame, policy):
    return decide(policy, read(frame, small_world), small_world, day=DAY, seed=3)


def by_id(decisions):
    return decisions.to_frame().sort_values("customer_id").reset_index(drop=True)


# ---- the same however they are asked for


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_rows_changes_no_decision(small_world, frame, policy, decided, seed):
    shuffled = frame.sample(frac=1.0, random_state=seed)
    again = decide(policy, read(shuffled, small_world), small_world, day=DAY, seed=3)
    assert again.ids.tolist() == shuffled["customer_id"].tolist()
    pd.testing.assert_frame_equal(by_id(again), by_id(decided), check_exact=True)


@pytest.mark.parametrize("size", [1, 7, 149])
def test_the_size_of_a_batch_changes_no_decision(monkeypatch, small_world, frame, policy, decided, size):
    monkeypatch.setattr(import_module("campaignrl.send.draw"), "ROWS_AT_A_TIME", size)
    told = []
    rows = frame if size > 1 else frame.iloc[:20]
    again = decide(
        policy, read(rows, small_world), small_world, day=DAY, seed=3, progress=lambda a, b: told.append((a, b))
    )
    pd.testing.assert_frame_equal(again.to_frame(), decided.to_frame().iloc[: len(rows)], check_exact=True)
    assert told[-1] == (len(rows), len(rows))
    assert len(told) == -(-len(rows) // size)


def test_customers_decided_in_two_files_get_the_decisions_of_one(small_world, frame, policy, decided):
    parts = [decide(policy, read(f, small_world), small_world, day=DAY, seed=3) for f in (frame[:61], frame[61:])]
    joined = pd.concat([p.to_frame() for p in parts], ignore_index=True)
    pd.testing.assert_frame_equal(joined, decided.to_frame(), check_exact=True)


def test_another_day_or_seed_draws_anew(small_world, frame, policy, decided):
    table = read(frame, small_world)
    for how in ({"day": DAY + datetime.timedelta(1), "seed": 3}, {"day": DAY, "seed": 4}):
        assert not np.array_equal(decide(policy, table, small_world, **how).action, decided.action)


# ---- within the rules


def test_every_decision_is_within_the_rules(small_world, frame, decided):
    table = read(frame, small_world)
    held_out = rng.uniform(rng.customer_keys(table.ids), 0, 0, Purpose.HOLDOUT) < small_world.guard.holdout
    mask = allowed(rules_of(small_world), facts_of(table, held_out, small_world))
    assert mask[np.arange(N), decided.action].all()
    assert 0 < held_out.sum() < N / 2
    assert (decided.action[held_out] == NONE).all()
    sends = decided.sends()
    assert 0 < len(sends) < N
    for _, row in frame.merge(sends, on="customer_id").iterrows():
        assert row[f"consent_{row['channel']}"] == 1.0
        assert row["contacts_5d"] < 3
        assert row["channel"] != "sms" or row["contacts_sms_4d"] < 1
        assert row["offer"] != "winback" or row["stage"] in ("at_risk", "dormant", "churned")


def test_the_holdout_of_a_table_is_the_holdout_of_the_simulation(small_world, frame, decided):
    panel = Panel(small_world, N, seed=99)
    assert (decided.action[panel.traits.held_out] == NONE).all()
    blocked = np.array(["holdout" in text.split("; ") for text in decided.blocked])
    assert np.array_equal(blocked, panel.traits.held_out)


def test_suppressed_customers_get_nothing_and_are_told_so(small_world, frame, policy):
    table = read(frame, small_world, suppressed=frozenset(frame["customer_id"][::2]))
    found = decide(policy, table, small_world, day=DAY)
    assert (found.action[::2] == NONE).all()
    assert all(text.startswith("suppressed") for text in found.blocked[::2])
    assert (found.action[1::2] != NONE).any()
    assert not any("suppressed" in text for text in found.blocked[1::2])


@pytest.mark.parametrize(
    "doubt",
    [
        {"consent_push": np.nan, "consent_sms": np.nan},
        {"contacts_5d": np.nan},
        {"contacts_5d": 3},
        {"suppressed": True},
    ],
    ids=["unknown consent", "unknown contacts", "full cap", "suppressed"],
)
def test_where_nothing_may_be_sent_nothing_is_sent(small_world, frame, policy, doubt):
    found = decide(policy, read(frame.assign(**doubt), small_world), small_world, day=DAY)
    assert (found.action == NONE).all()
    assert (found.propensity == 1.0).all()
    for reason, blocked in zip(found.reason, found.blocked, strict=True):
        assert reason == f"nothing may be sent: {blocked}"
    assert (found.blocked != "").all()
    assert len(found.sends()) == found.cost == 0


def test_an_unknown_count_on_one_channel_closes_that_channel_alone(small_world, frame, policy):
    found = decide(policy, read(frame.assign(contacts_sms_4d=np.nan), small_world), small_world, day=DAY)
    assert set(found.sends()["channel"]) == {"push"}


# ---- each with its reason


def test_every_decision_has_a_reason_and_an_exact_propensity(small_world, frame, policy, decided):
    assert ((decided.propensity > 0) & (decided.propensity <= 1)).all()
    assert all(decided.reason)
    table = read(frame, small_world)
    held_out = Panel(small_world, N).traits.held_out
    facts = facts_of(table, held_out, small_world)
    mask = allowed(rules_of(small_world), facts)
    p = policy.probabilities(facts.context, mask)
    assert np.array_equal(decided.propensity, p[np.arange(N), decided.action])
    for i in range(N):
        said = decided.reason[i]
        if mask[i].sum() == 1:
            assert said == f"nothing may be sent: {decided.blocked[i]}"
        else:
            best, sends = decided.propensity[i] == p[i].max(), decided.action[i] != NONE
            kind = {
                (True, True): "best",
                (True, False): f"nothing {'pays' if policy.kind == 'lin_ts' else 'is its choice'} here: best",
                (False, True): "exploring: one",
                (False, False): "exploring what comes of nothing: one",
            }[best, sends]
            sure = "" if decided.propensity[i] == 1.0 else f", probability {decided.propensity[i]:.3f}"
            assert said == f"{kind} of {mask[i].sum()} allowed{sure}"
        assert (decided.blocked[i] == "") == mask[i].all()


def test_rules_that_refused_are_counted(small_world, frame, decided):
    counts = decided.blocked_counts()
    assert counts["holdout"] == Panel(small_world, N).traits.held_out.sum()
    assert counts["no consent: sms"] == (frame["consent_sms"] == 0).sum()
    assert (
        counts["cap: 3 in 5 days on all channels"] == (frame["contacts_5d"] >= 3).sum()
        if (frame["contacts_5d"] >= 3).any()
        else "cap: 3 in 5 days on all channels" not in counts
    )
    assert list(counts.values()) == sorted(counts.values(), reverse=True)


def test_the_frame_holds_every_customer_and_the_send_list_those_who_get_something(small_world, decided):
    frame, sends = decided.to_frame(), decided.sends()
    assert len(frame) == N
    assert len(sends) == (decided.action != NONE).sum() == ((frame["offer"] != "") & (frame["channel"] != "")).sum()
    assert set(frame["ts"]) == {"2026-11-21"}
    assert set(frame["catalog_hash"]) == {small_world.catalog.hash}
    names = np.array(small_world.catalog.names)[decided.action[decided.action != NONE]]
    assert (sends["offer"] + "@" + sends["channel"]).tolist() == names.tolist()
    assert decided.cost == small_world.catalog.cost_of[decided.action].sum()


def test_ids_of_any_kind_survive_into_the_file(small_world, frame, policy, tmp_path):
    ids = ["007", "1e5", "🙂", "顾客", str(2**63 + 1), "a b", '"x",y', "17"]
    few = frame[frame["consent_push"] == 1.0].iloc[: len(ids)].assign(customer_id=ids)
    found = decide(policy, read(few, small_world), small_world, day=DAY)
    for name in ("sends.csv", "sends.parquet"):
        write_frame(found.to_frame(), tmp_path / name)
        back = read_frame(tmp_path / name, text=["customer_id"])
        assert back["customer_id"].tolist() == ids
        assert back["propensity"].tolist() == found.propensity.tolist()


def test_nobody_is_decided_for_in_peace(small_world, frame, policy):
    found = decide(policy, read(frame.iloc[:0], small_world), small_world, day=DAY)
    assert len(found.to_frame()) == found.cost == 0
    assert found.blocked_counts() == {}


def test_a_policy_of_another_catalog_is_refused(small_world, frame):
    stranger = load_policy("uniform", load_world("ecommerce").catalog, small_world.features)
    with pytest.raises(ArtifactError, match="catalog"):
        decide(stranger, read(frame, small_world), small_world, day=DAY)


# ---- a policy that has learned nothing decides nothing


@pytest.mark.parametrize("kind", ["lin_ts", "dr_greedy", "fitted_q", "beta_ts", "maskable_ppo", "budgeted", "uplift"])
def test_an_untrained_policy_is_refused(small_world, frame, kind):
    policy = load_policy(kind, small_world.catalog, small_world.features)
    with pytest.raises(UsageError, match=f"{kind}.*has learned.*Train it first: campaignrl train {kind} --world small"):
        decide(policy, read(frame, small_world), small_world, day=DAY)


# ---- what it writes


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_log_of_decisions_is_a_decision_log(small_world, frame, policy, decided, tmp_path, suffix):
    """Design 7, law 2: what decide writes, evaluate and train read, with nothing in between."""
    path = tmp_path / f"day.{suffix}"
    crl.write_log(decided.to_log(), path)
    log = crl.read_log(path)
    assert log.policy_id == policy.name
    np.testing.assert_array_equal(log.action, decided.action)
    again = policy.probabilities(log.context, log.eligible)
    np.testing.assert_allclose(again[np.arange(N), log.action], log.propensity, rtol=1e-12)
    with pytest.raises(SupportError, match="none of the log's"):  # nobody knows yet what came of it
        crl.evaluate(path, "uniform")
    with pytest.raises(SupportError, match="none of the log's"):  # nor is there anything to learn
        crl.train("lin_ts", path)
    known = replace(log, reward=np.where(log.action == NONE, 0.5, 1.0), matured=np.ones(N, dtype=bool))
    found = crl.evaluate(known, policy, estimators=("ips",))
    assert found.estimates["ips"].value == pytest.approx(known.reward.mean(), rel=1e-9)
    assert crl.train("lin_ts", known).is_trained


def test_the_send_list_and_its_log_come_by_one_call(small_world, frame, tmp_path, monkeypatch, capsys):
    table, sends, log = tmp_path / "c.csv", tmp_path / "sends.csv", tmp_path / "log.parquet"
    write_frame(frame, table)
    world = crl.save_world(small_world, tmp_path / "small.toml")
    words = ["decide", "uniform", table, "-w", world, "--as-of", "2026-11-21", "-o", sends, "--decisions", log]
    assert call(monkeypatch, words) == 0
    decided = crl.read_log(log)
    sent = read_frame(sends, text=["customer_id"])
    assert sent["customer_id"].tolist() == decided.customers[decided.customer[decided.action != NONE]].tolist()
    assert sent["ts"].unique().tolist() == ["2026-11-21"]
    before = sends.read_bytes()
    with monkeypatch.context() as broken:  # the log cannot be written: the list stays as it was
        broken.setattr("campaignrl.tables.log.files.log_batches", full_disk)
        assert call(monkeypatch, [*words, "--seed", "5"]) == 2
    assert sends.read_bytes() == before
    assert "No space left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "over"),
    [
        ("-o", "customers"),
        ("--decisions", "customers"),
        ("-o", "stop"),
        ("--decisions", "sends"),
        ("--decisions", "link"),
    ],
)
def test_no_output_is_an_input_or_another_output(small_world, frame, tmp_path, monkeypatch, capsys, option, over):
    files = {name: tmp_path / f"{name}.csv" for name in ("customers", "stop", "sends", "link")}
    write_frame(frame, files["customers"])
    write_frame(frame[["customer_id"]].head(5), files["stop"])
    files["link"].symlink_to(files["customers"])
    kept = {name: path.read_bytes() for name, path in files.items() if path.exists()}
    words = ["decide", "uniform", files["customers"], "-w", crl.save_world(small_world, tmp_path / "small.toml")]
    words += ["--suppress", files["stop"], *(() if option == "-o" else ("-o", files["sends"]))]
    assert call(monkeypatch, [*words, option, files[over]]) == 2
    assert "another file than" in capsys.readouterr().err
    assert kept == {name: path.read_bytes() for name, path in files.items() if path.exists()}


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def call(monkeypatch, words):
    """The exit code of the command line."""
    monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, words)])
    try:
        cli.main()
    except SystemExit as end:
        return end.code or 0
    return 0

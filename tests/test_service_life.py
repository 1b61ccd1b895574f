"""A world lives through the API: its log is true, values policies rightly, teaches a better one; faults are seen."""

import datetime
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from life_through_api import START, begin

import campaignrl as crl
from campaignrl.envs.truth import live
from campaignrl.ledger import ledger_log
from campaignrl.monitor import health_of
from campaignrl.policies import PROOF, load_policy, paired_gain, policy_hash
from campaignrl.proof import prove
from campaignrl.send import audit_ledger
from campaignrl.service import learn_once
from campaignrl.specs import load_world
from campaignrl.true_value import acting, decision_value

STRONG = "pretrained/ecommerce"
COFFEE = Path(__file__).parent / "worlds" / "coffee_bar.toml"
FREE = {"guard": {"caps": [], "holdout": 0.0}}


def test_what_a_world_answers_through_the_api_is_what_the_log_says(tmp_path):
    """Late, doubled and shuffled outcomes: every row of the log has, to a cent, what the world says it brought."""
    world = load_world("coupon_trap", horizon=6, outcome_days=3)
    life = begin(tmp_path, world, "uniform", 150, seed=2)
    with life.face:
        for _ in range(world.horizon):
            life.day()
        life.end()
    log = ledger_log(life.ledger, world, as_of=life.today)
    assert log.matured.sum() == 150 * (world.horizon - world.outcome_days + 1)
    np.testing.assert_allclose(log.reward[log.matured], life.brought(log)[log.matured], atol=0.02)
    assert np.unique(log.reward[log.matured]).size > 20
    assert audit_ledger(life.ledger) == (150 * world.horizon, [])


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_week_of_life_is_valued_rightly_and_promotes_the_better_policy(tmp_path, capsys):
    """Two challengers watch a week: who is not shown to be better is refused, who is decides, and is the better one."""
    world, whole = load_world("ecommerce", horizon=9, outcome_days=3), load_world("ecommerce")
    few = crl.simulate(whole, "uniform", customers=100, seed=11)
    weak = crl.train({"kind": "lin_ts", "explore": 0.2}, few)
    facts = {"world": "ecommerce", PROOF: prove(weak, whole, customers=2_000).to_dict()}
    crl.save_policy(weak, tmp_path / "weak.bundle", trained_on=facts)
    life = begin(tmp_path, world, "uniform", 6_000, seed=5, policies=tmp_path)
    with life.face as face:
        for name in ("weak.bundle", STRONG):
            assert face.post("/v1/policies/shadow", {"policy": name, "why": "it may watch"}).status_code == 200
        for _ in range(world.horizon):
            life.day()
        life.end()
        agreed = {one["policy"]: one["decisions"] for one in face.get("/v1/policies").json()["shadows"]}
        refused = face.post("/v1/policies/promote", {"policy": "weak.bundle", "why": "let us see"})
        taken = face.post("/v1/policies/promote", {"policy": STRONG, "why": "shown to be better"})
        deciding = face.get("/v1/policies").json()["deciding"]
    assert set(agreed.values()) == {6_000 * world.horizon}
    assert refused.status_code == 409
    assert refused.json()["doubts"]
    assert (taken.status_code, taken.json()["hash"]) == (200, deciding)
    log = ledger_log(life.ledger, world, as_of=life.today)
    np.testing.assert_allclose(log.reward[log.matured], life.brought(log)[log.matured], atol=0.02)
    assert audit_ledger(life.ledger)[1] == []
    for target in ("none", "rules", STRONG, str(tmp_path / "weak.bundle")):
        told = crl.evaluate(log, target, alpha=0.05 / 4).estimates["dr"]
        truth = decision_value(world, target, "uniform", customers=100_000, seed=77)
        with capsys.disabled():
            said = f"[{told.ci_low:+.4f}, {told.ci_high:+.4f}]  truth {truth.value:+.4f}"
            print(f"\n{Path(target).name:<12} log {told.value:+.4f} {said}")
        assert told.ci_low <= truth.ci_high, target  # each known within its own error
        assert truth.ci_low <= told.ci_high, target
    ids = (1 << 45) + np.arange(3_000)
    ways = (acting(STRONG, whole), acting(str(tmp_path / "weak.bundle"), whole))
    ours, theirs = (live(whole, way, customers=ids, seed=1, expects=True)["expected"] for way in ways)
    better = paired_gain(ours, theirs)
    with capsys.disabled():
        print(f"the promoted one over the refused one: {better.said('CNY a customer of a whole campaign')}")
    assert better.low > 0.0


# ---- who learned from a week decides by the learner's rule


def week(folder, policy, customers, seed, **changes):
    """A week of a coffee bar; its life, which goes on."""
    life = begin(folder, load_world(COFFEE, **changes), policy, customers, seed)
    for _ in range(7):
        life.day()
    life.end()
    return life


def taught(life, folder, **more):
    how = {"today": life.today, "promote": True, "learner": "lin_ts", "customers": 300, **more}
    return learn_once(life.face.service.store, life.ledger, life.panel.world, folder / "learned", **how)


def truly_over(world, policy, other, customers=3_000):
    """What a policy brings over another, of the same customers with the same luck, a whole campaign long."""
    ids = (1 << 45) + np.arange(customers)
    ways = (acting(policy, world), acting(other, world))
    ours, theirs = (live(world, way, customers=ids, seed=1, expects=True)["expected"] for way in ways)
    return paired_gain(ours, theirs)


def deciding(life):
    life.face.service.catch_up()
    return life.face.get("/v1/policies").json()["deciding"]


def test_who_learned_from_a_week_of_decisions_by_lot_is_promoted_by_the_rule_and_is_better(tmp_path):
    life = week(tmp_path, "uniform", 1_000, seed=6)
    with life.face:
        before, learned = deciding(life), taught(life, tmp_path)
        assert learned.became == "promoted", learned.why
        assert deciding(life) == policy_hash(load_policy(str(learned.bundle))) != before
        assert taught(life, tmp_path, learner=None).why.startswith("the ledger has no decisions of lin_ts")
        life.day()
        rows = life.ledger.read("decisions", ["day", "policy_hash"]).to_pandas()
        assert set(rows["policy_hash"][rows["day"] == rows["day"].max()]) == {deciding(life)}
        assert audit_ledger(life.ledger)[1] == []
        assert life.face.post("/v1/policies/rollback", {"why": "let us see"}).json()["hash"] == before
    assert truly_over(life.panel.world, str(learned.bundle), "uniform", 500).low > 0.0


NOTHING_HELPS = {
    "offers": {
        name: {"title": name, "kind": "content", "channels": ["push", "sms"], "appeal": 0.0} for name in ("one", "two")
    },
    "response": {"open_lift": 0.0, "click_lift": 0.0, "same_day": 1.0, "dropped_open": 0.0},
}


def test_where_no_message_helps_nobody_is_promoted(tmp_path):
    life = week(tmp_path, "uniform", 400, seed=7, **NOTHING_HELPS)
    with life.face:
        before, learned = deciding(life), taught(life, tmp_path)
        assert learned.became == "candidate"
        assert "not shown to bring more" in learned.why
        assert deciding(life) == before
        again = taught(life, tmp_path)
        assert (again.became, again.why) == ("nothing", "nothing has matured since the last lesson")
        life.day()
        life.end()
        assert taught(life, tmp_path).became == "candidate"
        roles = [one["role"] for one in life.face.get("/v1/policies").json()["policies"]]
        assert sorted(roles) == ["champion", "dismissed", "shadow"]
        assert life.face.post("/v1/policies/rollback", {"why": "to whom?"}).status_code == 409  # to nobody who decided
        lessons = [one["detail"]["lesson"] for one in life.face.get("/v1/trail").json()["entries"][:2]]
        assert lessons == [2, 1]


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_learner_in_its_own_process_promotes_the_better_one_and_then_nobody(tmp_path, capsys):
    """Several thousand customers: first over decisions by lot, then for two weeks nobody over who was promoted."""
    life = week(tmp_path, "uniform", 6_000, seed=8)
    words = ["store", "learn", life.face.settings.store, "--ledger", "led", "-o", "learned", "--policy", "lin_ts"]
    words += ["--promote", "--json", "--as-of"]

    def told():
        command = [sys.executable, "-m", "campaignrl", *words, life.today.isoformat()]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    with life.face:
        first = told()
        assert first["became"] == "promoted", first
        champion = deciding(life)
        found = []
        for _ in range(5):
            life.day()
            life.end()
            found.append(told()["became"])
        assert deciding(life) == champion or "promoted" in found
    gain = truly_over(life.panel.world, str(tmp_path / first["bundle"]), "uniform")
    with capsys.disabled():
        print(f"\npromoted: {gain.said('EUR a customer of a fortnight')} over decisions by lot; then {found}")
    assert gain.low > 0.0


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_of_ten_weeks_in_which_nothing_helps_none_promotes_and_of_ten_that_tell_most_do(tmp_path, capsys):
    counts = {}
    for name, changes in (("nothing helps", NOTHING_HELPS), ("as it is", {})):
        counts[name] = 0
        for seed in range(10):
            place = tmp_path / f"{name}{seed}"
            place.mkdir()
            life = week(place, "uniform", 1_000, seed=100 + seed, **changes)
            with life.face:
                counts[name] += taught(life, place).became == "promoted"
    with capsys.disabled():
        print(f"\npromoted of ten weeks each: {counts}")
    assert counts["nothing helps"] == 0
    assert counts["as it is"] >= 8


# ---- faults


def alarms(life):
    return {one.name for one in health_of(life.ledger, as_of=life.today, world=life.panel.world).alarms}


def lived(folder, customers, quiet, seed):
    """Five weeks of life and so many quiet mornings that are looked at: (life, alarms that were raised)."""
    life = begin(folder, load_world("ecommerce", horizon=35 + quiet + 4, **FREE), "uniform", customers, seed)
    found = set()
    for day in range(35 + quiet):
        if day >= 35:
            found |= {(day, name) for name in alarms(life)}
        life.day()
    return life, found


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_ten_quiet_weeks_through_the_api_raise_no_alarm(tmp_path):
    life, found = lived(tmp_path, 2_000, 70, seed=3)
    with life.face:
        assert not found


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_lost_outcomes_raise_their_alarm_within_a_day(tmp_path, capsys):
    """Half of them, of 5,000 customers; how many days fewer customers need is said by the monitor itself."""
    life, found = lived(tmp_path, 5_000, 1, seed=3)
    with life.face:
        chance = np.random.default_rng(3)
        life.day(keeps=lambda row: row["kind"] == "unsubscribe" or chance.random() < 0.5)
        lost = alarms(life)
    with capsys.disabled():
        print(f"\nfalse alarms {sorted(found)}; half of the outcomes lost: {sorted(lost)}")
    assert not found
    assert "outcomes" in lost


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_channel_that_dies_raises_its_alarm_within_a_day(tmp_path):
    world = load_world("ecommerce", horizon=40, **FREE)
    life = begin(tmp_path, world, "uniform", 5_000, seed=4)
    with life.face:
        for _ in range(36):
            life.day()
        assert alarms(life) == set()
        life.day(keeps=lambda row: row.get("channel") != "email")
        assert "open@email" in alarms(life)
    assert life.today == START + datetime.timedelta(days=37)

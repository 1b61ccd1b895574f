"""The ledger over the whole chain: days of decisions counted from it, audited by a second implementation."""

import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import campaignrl as crl
from campaignrl.actions import NONE
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import ArtifactError, DataError, SupportError, UsageError
from campaignrl.ledger import Ledger, LedgerMoved, add, erase, ledger_log, standing
from campaignrl.send import audit_ledger
from campaignrl.specs import bundled_files

START, EPOCH = datetime.date(2026, 1, 1), datetime.date(1970, 1, 1)
WORLDS = ("ecommerce", "bank", "retail", "travel", "tight_budget", "coupon_trap", "churn_rescue", "no_memory")
BY_CI = ("tight_budget",)  # whose months are played by CI; the others by `make slow`


def day(t: int) -> datetime.date:
    return START + datetime.timedelta(days=t)


def table(world, n, seed=7):
    """Customers without any count of contacts: the ledger has them."""
    frame = customers_frame(Panel(world, n, seed))
    frame["customer_id"] = [f"c-{i}" if i % 3 else str(i) for i in range(n)]
    return frame.drop(columns=[c for c in frame if c.startswith("contacts_")])


def begun(world, folder, customers):
    return Ledger.create(folder / "ledger", world, start=START, customers=customers)


# ---- thirty days, audited by pandas and the world's TOML alone


class Auditor:
    """Recomputes every rule from the file of the world and from what was decided; shares no code with the guard."""

    def __init__(self, name: str, customers: int) -> None:
        self.world = tomllib.loads(Path(bundled_files("envs")[name]).read_text(encoding="utf-8"))
        self.n, self.spent, self.sends = customers, 0, []

    def day(self, t: int, frame: pd.DataFrame, found: pd.DataFrame, suppressed: set[str]) -> list[str]:
        """What is wrong with a day's decisions."""
        sent = found[found["channel"] != ""].merge(frame, on="customer_id", suffixes=("", "_c"), validate="1:1")
        wrong = ["suppressed"] if sent["customer_id"].isin(suppressed).any() else []
        wrong += [*self.permissions(sent), *self.offers(sent), *self.caps(t, sent), *self.scarce(t, sent)]
        self.sends += [(one, t, c) for one, c in zip(sent["customer_id"], sent["channel"], strict=True)]
        return wrong

    def permissions(self, sent):
        for channel in self.world["channels"]:
            if (sent.loc[sent["channel"] == channel, f"consent_{channel}"] != 1).any():
                yield f"consent {channel}"

    def offers(self, sent):
        for name, offer in self.world["offers"].items():
            mine = sent[sent["offer"] == name]
            if not mine["channel"].isin(offer["channels"]).all():
                yield f"channel of {name}"
            if offer.get("only_if") and len(mine) and len(mine.query(offer["only_if"])) < len(mine):
                yield f"eligibility of {name}"

    def caps(self, t, sent):
        before = pd.DataFrame(self.sends, columns=["customer_id", "day", "channel"])
        for cap in self.world.get("guard", {}).get("caps", []):
            window, mine = before[before["day"] > t - cap["per_days"]], sent
            if "channel" in cap:
                window, mine = window[window["channel"] == cap["channel"]], sent[sent["channel"] == cap["channel"]]
            earlier = window["customer_id"].astype(object).value_counts().to_dict()
            if any(earlier.get(one, 0) + 1 > cap["at_most"] for one in mine["customer_id"]):
                yield f"cap {cap}"

    def scarce(self, t, sent):
        for channel, spec in self.world["channels"].items():
            if "capacity" in spec:
                most = spec["capacity"]["sends_per_day_per_1000_customers"] * self.n // 1000
                if (sent["channel"] == channel).sum() > most:
                    yield f"capacity {channel}"
        self.spent += sum(round(100 * self.world["channels"][c]["cost"]) for c in sent["channel"])
        guard = self.world.get("guard", {})
        if "budget" in guard:
            budget = round(100 * guard["budget"]["amount_per_1000_customers"]) * self.n // 1000
            if self.spent > budget * (t + 1) // self.world["horizon"]:
                yield "budget"


@pytest.mark.parametrize("n", [300, pytest.param(2_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [one if one in BY_CI else pytest.param(one, marks=pytest.mark.slow) for one in WORLDS])
def test_a_month_of_mornings_breaks_no_rule(name, n, tmp_path):
    """Shuffled rows, consents that flip or are not known, a tenth suppressed; contacts are counted from the ledger."""
    world = crl.load_world(name)
    base, rng = table(world, n), np.random.default_rng(1)
    suppressed = set(rng.choice(base["customer_id"].to_numpy(dtype=object), n // 10, replace=False))
    ledger, auditor, held = begun(world, tmp_path, n), Auditor(name, n), set()
    for t in range(30):
        frame = base.sample(frac=1.0, random_state=t).reset_index(drop=True)
        for channel in world.channels:
            frame.loc[rng.random(n) < 0.05, f"consent_{channel}"] = np.nan
        found = crl.decide("uniform", frame, world, day=day(t), ledger=ledger, suppressed=suppressed).to_frame()
        assert auditor.day(t, frame, found, suppressed) == []
        today = set(found["customer_id"][["holdout" in text.split("; ") for text in found["blocked"]]])
        assert not held or held == today
        held = today
    assert len(auditor.sends) > n // 10
    assert not held & {one for one, _, _ in auditor.sends}
    assert (len(held) > 0) == (world.guard.holdout > 0)
    assert audit_ledger(ledger)[1] == []  # our own audit agrees


# ---- exactly once


def test_the_same_run_again_gives_what_it_gave_whatever_the_order_and_adds_nothing(tmp_path):
    world = crl.load_world("ecommerce")
    frame, ledger = table(world, 200), begun(world, tmp_path, 200)
    first = crl.decide("uniform", frame, world, day=day(0), ledger=ledger)
    again = crl.decide("uniform", frame.iloc[::-1], world, day=day(0), ledger=tmp_path / "ledger")
    assert again.run == first.run != ""
    assert again.to_frame().equals(first.to_frame().iloc[::-1].reset_index(drop=True))
    assert ledger.counts()["decisions"] == 200
    other = crl.decide("uniform", frame, world, day=day(0), ledger=ledger, seed=1)  # another run of the same day
    assert other.run != first.run
    sent = first.action != NONE
    assert (other.action[sent] == NONE).all()
    assert sent.any()
    assert all(text.startswith("already sent to today") for text in other.blocked[sent])


def test_the_same_table_again_tomorrow_counts_yesterdays_sends(tmp_path):
    """What failed: 449 of 1,000 customers got a second SMS within seven days."""
    world = crl.load_world("ecommerce")
    frame, ledger = table(world, 300), begun(world, tmp_path, 300)
    first = crl.decide("always:coupon20@sms", frame, world, day=day(0), ledger=ledger)
    got = first.action != NONE
    assert got.sum() > 5
    for t in range(1, 7):
        assert (crl.decide("always:coupon20@sms", frame, world, day=day(t), ledger=ledger).action[got] == NONE).all()
    late = crl.decide("always:coupon20@sms", frame, world, day=day(7), ledger=ledger)
    assert (late.action[got] != NONE).all()


def test_counts_of_other_senders_can_only_add(tmp_path):
    world = crl.load_world("ecommerce")
    frame, ledger = table(world, 200), begun(world, tmp_path, 200)
    full = crl.decide("uniform", frame.assign(contacts_7d=3), world, day=day(0), ledger=ledger, dry_run=True)
    assert (full.action == NONE).all()
    free = crl.decide("uniform", frame, world, day=day(0), ledger=ledger, dry_run=True)
    assert (free.action != NONE).any()
    assert ledger.counts()["decisions"] == 0  # a dry run leaves nothing


def test_of_two_that_rest_on_the_same_state_one_wins(tmp_path):
    world = crl.load_world("no_memory")
    frame, ledger = table(world, 50), begun(world, tmp_path, 50)
    crl.decide("uniform", frame, world, day=day(0), ledger=ledger)
    rows = ledger.read("decisions").slice(0, 3)
    head = ledger.head
    assert ledger.append("decisions", rows, "one", head)
    with pytest.raises(LedgerMoved, match="Run it again"):
        ledger.append("decisions", rows, "two", head)
    assert not ledger.append("decisions", rows, "one", ledger.head)  # once is once
    assert ledger.counts()["decisions"] == 53


COMMAND = [sys.executable, "-m", "campaignrl"]


def command(*words, **how):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, *map(str, words)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how
    )


def test_two_runs_at_once_lose_and_double_nothing(tmp_path):
    world = crl.load_world("tight_budget")
    frame, ledger = table(world, 400), begun(world, tmp_path, 400)
    frame.to_csv(tmp_path / "c.csv", index=False)
    words = ["decide", "uniform", tmp_path / "c.csv", "-w", "tight_budget", "--as-of", day(0)]
    runs = [
        command(*words, "--seed", seed, "-o", tmp_path / f"{seed}.csv", "--ledger", ledger.folder) for seed in (1, 2)
    ]
    assert [run.wait(120) for run in runs] == [0, 0], [run.stderr.read() for run in runs]
    rows = ledger.read("decisions").to_pandas()
    assert len(rows) == 800
    sent = rows[rows["action"] > 0]
    assert sent["customer_id"].is_unique  # the second saw the first
    budget = world.minor(world.guard.budget.amount_per_1000_customers) * 400 // 1000
    assert sent["cost"].sum() <= budget // world.horizon
    for seed in (1, 2):
        listed = pd.read_csv(tmp_path / f"{seed}.csv", dtype=str)
        assert set(listed["customer_id"]) == set(sent.loc[sent["seed"] == seed, "customer_id"])
        for run in runs:
            run.stdout.close()
            run.stderr.close()


LOADED = """
import json, os, sys
import campaignrl.cli.main as cli, campaignrl.cli.sends, campaignrl.report.pages, deltalake, scipy.optimize
import campaignrl.cli.sends.decide
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.argv = ["campaignrl", *json.loads(line)]
        os.dup2(2, 1)
        try:
            cli.main()
        except SystemExit as end:
            os._exit(end.code or 0)
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Loaded:
    """The command line in processes that have loaded everything, so that a kill meets the work and no import."""

    def __enter__(self):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        how = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.parent = subprocess.Popen([sys.executable, "-c", LOADED], env=environment, **how)
        return self

    def __exit__(self, *_):
        self.parent.stdin.close()
        self.parent.wait(60)
        self.parent.stdout.close()

    def run(self, *words, kill_after=None):
        """Seconds that it took; its end must be 0, or that of the kill."""
        self.parent.stdin.write(json.dumps([str(word) for word in words]) + "\n")
        self.parent.stdin.flush()
        child, begin = int(self.parent.stdout.readline()), time.monotonic()
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):  # it may have ended
                os.kill(child, signal.SIGKILL)
        status = int(self.parent.stdout.readline())
        assert status in (0, signal.SIGKILL if kill_after is not None else 0)
        return time.monotonic() - begin


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])])
def test_killed_at_any_moment_the_ledger_is_the_old_or_the_new_one(tmp_path, kills):
    world = crl.load_world("no_memory")
    frame, ledger = table(world, 3_000), begun(world, tmp_path, 3_000)
    frame.to_csv(tmp_path / "c.csv", index=False)
    words = ["decide", "uniform", tmp_path / "c.csv", "-w", "no_memory", "--ledger", ledger.folder]
    met = set()
    with Loaded() as loaded:
        loaded.run(*words, "--as-of", day(0), "-o", tmp_path / "0.csv")
        whole = loaded.run(*words, "--as-of", day(1), "-o", tmp_path / "1.csv")
        for t, part in enumerate(np.random.default_rng(kills).uniform(0.05, 1.05, kills), start=2):
            sends = tmp_path / f"{t}.csv"
            before = ledger.counts()["decisions"]
            loaded.run(*words, "--as-of", day(t), "-o", sends, kill_after=part * whole)
            after = ledger.counts()["decisions"]
            assert after in (before, before + 3_000)
            assert after > before or not sends.exists()  # never a list of which the ledger knows nothing
            met.add((after > before, sends.exists()))
            whole = loaded.run(*words, "--as-of", day(t), "-o", sends)  # a repeat completes it
            assert ledger.counts()["decisions"] == before + 3_000
            rows = ledger.read("decisions", day=(day(t) - EPOCH).days).to_pandas()
            listed = pd.read_csv(sends, dtype=str)
            assert set(listed["customer_id"]) == set(rows.loc[rows["action"] > 0, "customer_id"])
    print(f"killed {kills} times; (committed, list written) met: {sorted(met)}")


# ---- what comes back


def test_the_loop_closes_in_a_world_that_answers(tmp_path):
    """Ten days of decide, outcomes added, and evaluate and train take the ledger's log with nothing in between."""
    world = crl.load_world("no_memory")
    n, days = 600, 14
    panel, ledger = Panel(world, n, 3), begun(world, tmp_path, 600)
    for t in range(days):
        frame = customers_frame(panel)
        frame = frame.drop(columns=[c for c in frame if c.startswith("contacts_")])
        found = crl.decide("uniform", frame, world, day=day(t), ledger=ledger)
        outcome = panel.step(found.action)
        orders, left = np.flatnonzero(outcome.bought), np.flatnonzero(outcome.unsubscribed)
        came = pd.DataFrame(
            {
                "outcome_id": [f"o{t}-{i}" for i in orders] + [f"u{t}-{i}" for i in left],
                "customer_id": [str(i) for i in (*orders, *left)],
                "kind": ["order"] * len(orders) + ["unsubscribe"] * len(left),
                "day": day(t).isoformat(),
                "margin": np.concatenate([outcome.margin[orders], np.zeros(len(left))]),
                "channel": [""] * len(orders) + list(found.to_frame()["channel"].iloc[left]),
            }
        )
        came.to_csv(tmp_path / "came.csv", index=False)
        if len(came):
            add(ledger, "outcomes", tmp_path / "came.csv", world, today=day(t))
            assert add(ledger, "outcomes", tmp_path / "came.csv", world, today=day(t)).new == 0  # each once
    log = ledger_log(ledger, world, as_of=day(days))
    assert len(log) == n * days
    policy = crl.load_policy("uniform", world)
    p = policy.probabilities(log.context, log.allowed())
    np.testing.assert_allclose(p[np.arange(len(log)), log.action], log.propensity, rtol=1e-12)  # law 1
    simulated = crl.simulate(world, "uniform", customers=n, seed=3)
    mature = log.reward[log.matured].mean()
    assert abs(mature - simulated.reward[simulated.day < days - world.outcome_days].mean()) < 0.1
    crl.write_log(log, tmp_path / "log.parquet")
    found = crl.evaluate(tmp_path / "log.parquet", "uniform", estimators=("ips",))
    assert found.estimates["ips"].value == pytest.approx(mature, rel=1e-9)
    learner = crl.train("lin_ts", tmp_path / "log.parquet")
    decided = crl.decide(learner, frame, world, day=day(days), ledger=ledger)
    assert decided.policy == "lin_ts"
    with pytest.raises(SupportError, match=r"lin_ts.*uniform|uniform.*lin_ts"):
        ledger_log(ledger, world, as_of=day(days + 1))
    assert len(ledger_log(ledger, world, as_of=day(days + 1), policy="uniform")) == n * days


def put(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_rewards_by_hand(tmp_path):
    """Orders less refunds, lost permissions and costs, of every decision whose window they fall into."""
    world = crl.load_world("tight_budget")  # a text costs 0.08, a lost permission 1, the window is 7 days
    frame, ledger = table(world, 60), begun(world, tmp_path, 60)
    first = crl.decide("always:news@sms", frame, world, day=day(0), ledger=ledger)
    for t in (1, 2, 8):
        crl.decide("always:news@sms", frame, world, day=day(t), ledger=ledger)
    one, other = first.ids[first.action != NONE][:2]
    came = put(
        tmp_path / "o.csv",
        outcome_id=["a", "b", "c", "d", "e"],
        customer_id=[one, one, one, other, ""],
        decision_id=["", "", "", "", "nobody-knows"],
        kind=["order", "refund", "click", "unsubscribe", "order"],
        day=[day(2), day(8), day(2), day(3), day(2)],
        margin=[10.25, 4.0, "", "", 99.0],
        channel=["", "", "", "sms", ""],
    )
    assert add(ledger, "outcomes", came, world, today=day(9))[:4] == (5, 5, 0, 1)
    log = ledger_log(ledger, world, as_of=day(9))
    reward = {
        (log.customers[c], d): r for c, d, r in zip(log.customer, log.day - log.day.min(), log.reward, strict=True)
    }
    assert reward[one, 0] == pytest.approx(10.25 - 0.08)
    assert reward[one, 1] == pytest.approx(10.25)
    assert reward[one, 2] == pytest.approx(10.25 - 4.0 - 0.08)  # days 2 to 8: the refund, and the text of day 8
    assert reward[one, 8] == pytest.approx(-4.0 - 0.08)
    assert reward[other, 0] == pytest.approx(-1.0 - 0.08)
    assert log.matured.tolist() == [d + 7 <= 9 for d in log.day - log.day.min()]
    day_one = ledger_log(ledger, world, as_of=day(3))  # the morning of day 3 knows nothing of it yet
    assert day_one.reward.max() == pytest.approx(10.25)


def test_a_withdrawal_counts_from_its_arrival_and_wins_ties(tmp_path):
    world = crl.load_world("ecommerce")
    frame = table(world, 100).assign(consent_email=1.0)
    ledger, ids = begun(world, tmp_path, 100), frame["customer_id"].tolist()
    said = put(
        tmp_path / "p.csv",
        customer_id=[f" {ids[3]}", ids[4], ids[4], ids[5], ids[6], ids[6]],
        channel=["email", "email", "email", "*", "email", "email"],
        allowed=["no", "yes", "no", "no", "no", "yes"],
        day=[day(1), day(1), day(1), day(1), day(1), day(2)],
    )
    assert add(ledger, "permissions", said, world, today=day(3)).new == 6
    place = list(world.channels).index("email")
    known, names = frame["customer_id"].to_numpy(object), list(world.channels)
    before, after = (standing(ledger, (day(t) - EPOCH).days, known, names) for t in (2, 3))
    assert before.consent[place, 3] == -1
    assert after.consent[place, 3:7].tolist() == [0, 0, -1, 1]
    assert np.flatnonzero(after.suppressed).tolist() == [5]
    found = crl.decide("always:content@email", frame, world, day=day(3), ledger=ledger)
    assert (found.action[3:6] == NONE).all()
    assert "suppressed" in found.blocked[5]


def test_an_unsubscribe_takes_the_permission_and_a_refused_hand_over_gives_the_contact_back(tmp_path):
    world = crl.load_world("tight_budget")
    frame, ledger = table(world, 80), begun(world, tmp_path, 80)
    first = crl.decide("always:news@sms", frame, world, day=day(0), ledger=ledger)
    sent = first.ids[first.action != NONE]
    rows = ledger.read("decisions").to_pandas().set_index("customer_id")
    handed = put(
        tmp_path / "h.csv",
        decision_id=[*rows.loc[sent[:3], "decision_id"], "who"],
        status=["refused", "unknown", "sent", "refused"],
        day=[day(0)] * 4,
    )
    assert add(ledger, "handovers", handed, world, today=day(1))[:4] == (4, 4, 0, 1)
    gone = put(tmp_path / "u.csv", outcome_id=["u"], customer_id=[sent[3]], kind=["unsubscribe"], day=[day(0)])
    add(ledger, "outcomes", gone, world, today=day(1))
    now = standing(ledger, (day(1) - EPOCH).days, first.ids, list(world.channels))
    count = dict(zip(first.ids, now.contacts("sms", 7), strict=True))
    assert [count[one] for one in sent[:4]] == [0, 1, 1, 1]
    assert now.spent == 8 * (len(sent) - 1)
    assert now.suppressed[first.ids == sent[3]].all()
    again = crl.decide("always:news@sms", frame, world, day=day(1), ledger=ledger)
    assert again.action[first.ids == sent[0]] != NONE


@pytest.mark.parametrize(
    ("what", "columns", "words"),
    [
        ("outcomes", {"kind": ["sold"]}, "kind"),
        ("outcomes", {"margin": ["1e12"]}, "margin"),
        ("outcomes", {"margin": ["many"]}, "margin"),
        ("outcomes", {"margin": [""]}, "margin"),
        ("outcomes", {"kind": ["refund"], "margin": [-1.0]}, "margin"),
        ("outcomes", {"day": ["yesterday"]}, "day"),
        ("outcomes", {"customer_id": [""]}, "customer_id"),
        ("outcomes", {"outcome_id": [""], "kind": ["sold"], "day": ["?"]}, "(?s)outcome_id|kind.*day"),
        ("permissions", {"allowed": ["perhaps"]}, "allowed"),
        ("permissions", {"channel": ["smoke"]}, "channel"),
        ("handovers", {"status": ["lost"]}, "status"),
    ],
)
def test_what_cannot_be_understood_is_refused_whole(tmp_path, what, columns, words):
    world = crl.load_world("ecommerce")
    ledger = begun(world, tmp_path, 10)
    order = {"outcome_id": ["a"], "customer_id": ["1"], "kind": ["order"], "day": ["2026-01-02"], "margin": [1.0]}
    good = {
        "outcomes": order,
        "permissions": {"customer_id": ["1"], "channel": ["sms"], "allowed": ["no"], "day": ["2026-01-02"]},
        "handovers": {"decision_id": ["1"], "status": ["sent"], "day": ["2026-01-02"]},
    }[what]  # fmt: skip
    path = put(tmp_path / "x.csv", **{**good, **columns})
    with pytest.raises(DataError, match=words):
        add(ledger, what, path, world, today=day(3))
    assert ledger.counts()[what] == 0


# ---- what a ledger is not


KILLED_AT = """
import datetime, os, signal, sys
import campaignrl as crl
from campaignrl.ledger import Ledger, folder
left = [int(sys.argv[2])]
def dying(step):
    def done(*args):
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return step(*args)
    return done
for name in ("create_table", "write_whole", "_put"):
    setattr(folder, name, dying(getattr(folder, name)))
Ledger.create(sys.argv[1], crl.load_world("no_memory"), start=datetime.date(2026, 1, 1), customers=20)
"""


@pytest.mark.parametrize("step", [1, 4, 5])  # amid the tables, before its facts, before it has its name
def test_a_ledger_killed_while_it_is_begun_is_not_there_and_can_be_begun(tmp_path, step):
    place = tmp_path / "ledger"
    place.mkdir()
    (place / ".lock").touch()
    ended = subprocess.run([sys.executable, "-c", KILLED_AT, place, str(step)], check=False)
    assert ended.returncode == -signal.SIGKILL
    with pytest.raises(UsageError, match="campaignrl ledger create"):
        Ledger.open(place)
    begun(crl.load_world("no_memory"), tmp_path, 20)
    assert not any(Ledger.open(place).counts().values())


def test_a_folder_that_is_no_ledger_or_another_world_or_too_early_a_day_is_refused(tmp_path):
    world = crl.load_world("ecommerce")
    ledger, frame = begun(world, tmp_path, 20), table(world, 20)
    with pytest.raises(UsageError, match="new or empty folder"):
        begun(world, tmp_path, 20)
    with pytest.raises(UsageError, match=r"campaignrl ledger create"):
        Ledger.open(tmp_path)
    with pytest.raises(UsageError, match="when it begins"):
        crl.decide("uniform", frame, world, day="2025-12-31", ledger=ledger)
    other = crl.load_world("no_memory")
    with pytest.raises(UsageError, match="Give the world it was begun for"):
        crl.decide("uniform", table(other, 20), other, day=day(0), ledger=ledger)
    facts = json.loads((ledger.folder / "ledger.json").read_text())
    (ledger.folder / "ledger.json").write_text(json.dumps(facts | {"format": 99}))
    with pytest.raises(ArtifactError, match="99"):
        Ledger.open(ledger.folder)


def test_the_statistics_of_the_tables_name_no_customer(tmp_path):
    world = crl.load_world("ecommerce")
    ledger = begun(world, tmp_path, 30)
    crl.decide("uniform", table(world, 30), world, day=day(0), ledger=ledger)
    text = "".join(p.read_text() for p in (ledger.folder / "decisions" / "_delta_log").glob("*.json"))
    assert "numRecords" in text
    assert "c-1" not in text


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own, which can be filled and made read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True)
    if made.returncode:
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_or_read_only_disk_is_one_line_and_leaves_the_ledger_as_it_was(small_disk):
    world = crl.load_world("no_memory")
    frame, ledger = table(world, 300), begun(world, small_disk, 300)
    crl.decide("uniform", frame, world, day=day(0), ledger=ledger)
    rest = os.statvfs(small_disk)
    (small_disk / "fill").write_bytes(b"x" * (rest.f_bavail * rest.f_frsize))
    with pytest.raises(UsageError, match="cannot be written"):
        crl.decide("uniform", frame, world, day=day(1), ledger=ledger)
    assert Ledger.open(ledger.folder).counts()["decisions"] == 300
    (small_disk / "fill").unlink()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(UsageError, match="cannot be written"):
        crl.decide("uniform", frame, world, day=day(1), ledger=ledger)
    assert ledger.counts()["decisions"] == 300  # it can still be read
    with pytest.raises(UsageError, match="cannot be written"):
        crl.write_log(ledger_log(ledger, world, as_of=day(9)), small_disk / "x.parquet")
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    crl.decide("uniform", frame, world, day=day(1), ledger=ledger)
    assert ledger.counts()["decisions"] == 600


def test_a_broken_table_is_said_in_one_line(tmp_path):
    world = crl.load_world("no_memory")
    ledger = begun(world, tmp_path, 20)
    crl.decide("uniform", table(world, 20), world, day=day(0), ledger=ledger)
    for path in (ledger.folder / "decisions").rglob("*.parquet"):
        path.unlink()
    with pytest.raises(ArtifactError, match="Bring the folder back from a copy"):
        ledger_log(ledger, world, as_of=day(3))
    for path in (ledger.folder / "handovers" / "_delta_log").glob("*.json"):
        path.write_text("{")
    with pytest.raises(ArtifactError, match="handovers"):
        ledger.table("handovers")


def test_an_unsubscribe_that_names_only_its_decision_takes_the_permission_whenever_that_comes(tmp_path):
    world = crl.load_world("tight_budget")
    frame, ledger = table(world, 60), begun(world, tmp_path, 60)
    first = crl.decide("always:news@sms", frame, world, day=day(0), ledger=ledger)
    rows = ledger.read("decisions").to_pandas().set_index("customer_id")
    one = first.ids[first.action != NONE][0]
    gone = put(
        tmp_path / "u.csv",
        outcome_id=["u", "v"],
        decision_id=[rows.loc[one, "decision_id"], "to-come"],
        kind=["unsubscribe"] * 2,
        day=[day(0)] * 2,
    )
    assert add(ledger, "outcomes", gone, world, today=day(1))[:4] == (2, 2, 0, 1)
    late = ledger.read("decisions").slice(0, 1).to_pandas().assign(decision_id="to-come", run_id="x")
    other = late["customer_id"][0]
    ledger.append("decisions", pa.Table.from_pandas(late, schema=ledger.read("decisions").schema), "x")
    now = standing(ledger, (day(1) - EPOCH).days, first.ids, list(world.channels))
    assert set(first.ids[now.suppressed]) == {one, other}


def test_of_two_outcomes_of_one_id_that_differ_none_is_taken_for_the_other(tmp_path):
    world = crl.load_world("ecommerce")
    ledger = begun(world, tmp_path, 10)
    order = {"outcome_id": ["a"], "customer_id": ["1"], "kind": ["order"], "day": [day(1)], "margin": [5.0]}
    both = {name: [*values, *values] for name, values in order.items()}
    with pytest.raises(DataError, match="correct an order by a refund"):
        add(ledger, "outcomes", put(tmp_path / "x.csv", **{**both, "margin": [5.0, 50.0]}), world, today=day(2))
    assert add(ledger, "outcomes", put(tmp_path / "x.csv", **both), world, today=day(2))[:4] == (2, 1, 1, 0)
    with pytest.raises(DataError, match="outcome_id"):
        add(ledger, "outcomes", put(tmp_path / "x.csv", **{**order, "margin": [50.0]}), world, today=day(2))
    assert ledger.read("outcomes")["margin"].to_pylist() == [500]


def test_changed_rules_are_refused_until_they_are_given_and_no_decision_is_passed_over(tmp_path):
    world = crl.load_world("tight_budget")
    ledger, frame = begun(world, tmp_path, 40), table(world, 40)
    crl.decide("uniform", frame, world, day=day(0), ledger=ledger)
    laxer = crl.load_world("tight_budget", guard={**world.guard.model_dump(), "caps": []})
    with pytest.raises(UsageError, match="campaignrl ledger rules"):
        crl.decide("uniform", frame, laxer, day=day(1), ledger=ledger)
    ledger = ledger.accept(laxer)
    crl.decide("uniform", frame, laxer, day=day(1), ledger=ledger)
    assert len(ledger_log(ledger, laxer, as_of=day(2))) == 80
    dearer = {name: spec.model_dump() for name, spec in world.channels.items()}
    dearer["sms"]["cost"] = 0.16
    other = crl.load_world("tight_budget", channels=dearer)
    with pytest.raises(ArtifactError, match="others in 80 decisions"):
        ledger_log(ledger, other, as_of=day(2))


def test_an_erased_customer_leaves_no_byte_and_is_never_contacted_again(tmp_path):
    world = crl.load_world("ecommerce")
    frame, ledger = table(world, 60), begun(world, tmp_path, 60)
    frame.loc[7, "customer_id"] = "erase-me-\u987e\u5ba2-7"
    frame["consent_email"] = 1.0
    names, one = list(world.channels), str(frame.loc[7, "customer_id"])
    first = crl.decide("always:content@email", frame, world, day=day(0), ledger=ledger)
    assert first.action[7] != NONE
    decision = ledger.read("decisions", customer_id=one)["decision_id"][0].as_py()
    rows = {
        "outcome_id": ["a", "b"],
        "customer_id": [one, ""],
        "decision_id": ["", decision],
        "kind": ["click", "open"],
    }
    add(ledger, "outcomes", put(tmp_path / "o.csv", **rows, day=[day(0)] * 2), world, today=day(1))
    handed = {"decision_id": [decision], "status": ["sent"], "day": [day(0)]}
    add(ledger, "handovers", put(tmp_path / "h.csv", **handed), world, today=day(1))
    said = {"customer_id": [one], "channel": ["sms"], "allowed": ["yes"], "day": [day(0)]}
    add(ledger, "permissions", put(tmp_path / "p.csv", **said), world, today=day(1))
    others = standing(ledger, (day(1) - EPOCH).days, first.ids, names).contacts("email", 7)
    written = next((ledger.folder / "decisions").rglob("*.parquet"))
    shutil.copy(written, written.with_name("part-00000-of-a-run-that-was-killed.snappy.parquet"))
    assert erase(ledger, f" {one.upper()} ", today=day(1)) == (1, 1, 2, 1)
    for path in ledger.folder.rglob("*"):
        if path.is_file():
            assert one.encode() not in path.read_bytes()
            assert b"erase-me" not in path.read_bytes()
            if path.suffix == ".parquet":
                assert one not in str(pq.read_table(path).to_pydict())
    now = standing(ledger, (day(1) - EPOCH).days, first.ids, names)
    assert np.flatnonzero(now.suppressed).tolist() == [7]
    rest = np.arange(60) != 7
    assert np.array_equal(now.contacts("email", 7)[rest], others[rest])
    again = crl.decide("always:content@email", frame, world, day=day(20), ledger=ledger)
    assert again.action[7] == NONE
    assert again.blocked[7].startswith("suppressed")
    assert ledger.rows_of(first.run) is not None  # the run itself is remembered
    kept = next((ledger.folder / "decisions").rglob("*.parquet"))
    left = kept.with_name("part-00000-of-another-that-was-killed.snappy.parquet")
    shutil.copy(kept, left)
    assert erase(ledger, "nobody", today=day(2)) == (0, 0, 0, 0)
    assert kept.exists()
    assert not left.exists()
    with pytest.raises(UsageError, match="an id"):
        erase(ledger, "  ", today=day(2))


def heard(ledger, path, world, t, **columns):
    """Permissions told to the ledger on a day."""
    many = len(columns["customer_id"])
    return add(ledger, "permissions", put(path, **columns, day=[day(t)] * many), world, today=day(t))


def test_a_no_of_the_table_or_of_the_ledger_is_a_no_and_an_unknown_stays_one(tmp_path):
    """Invariant I1: of two records that disagree, the refusal counts."""
    world = crl.load_world("ecommerce")
    frame, ledger = table(world, 90), begun(world, tmp_path, 90)
    ids = frame["customer_id"].tolist()
    frame["consent_email"] = [1.0, 0.0, np.nan] * 30
    words = {"customer_id": ids[:60], "channel": ["email"] * 60, "allowed": ["yes"] * 30 + ["no"] * 30}
    heard(ledger, tmp_path / "p.csv", world, 0, **words)
    found = crl.decide("always:content@email", frame, world, day=day(1), ledger=ledger)
    seen = found.context.columns["consent_email"]
    expected = [1.0, 0.0, 1.0] * 10 + [0.0, 0.0, 0.0] * 10 + [1.0, 0.0, np.nan] * 10
    assert np.array_equal(seen, expected, equal_nan=True)
    sent = found.action != NONE
    assert not (sent & (np.nan_to_num(np.array(expected)) == 0.0)).any()
    assert sent[:30].any()
    assert sent[60:].any()


def test_a_count_of_contacts_that_is_not_known_is_not_known_to_the_policy_either(tmp_path):
    world = crl.load_world("ecommerce")
    frame, ledger = table(world, 20), begun(world, tmp_path, 20)
    frame["contacts_7d"] = [np.nan, *[1.0] * 19]
    found = crl.decide("uniform", frame, world, day=day(0), ledger=ledger)
    assert np.isnan(found.context.columns["contacts_7d"][0])
    assert (found.context.columns["contacts_7d"][1:] == 1.0).all()
    assert found.action[0] == NONE


def test_a_repeated_run_lists_nobody_whose_permission_was_taken_away_since(tmp_path):
    """Bad input 20. The ledger keeps what was decided; the list is what may be handed over now."""
    world = crl.load_world("ecommerce")
    frame, ledger = table(world, 120), begun(world, tmp_path, 120)
    first = crl.decide("uniform", frame, world, day=day(0), ledger=ledger)
    listed = first.sends()
    gone, other = listed["customer_id"].iloc[:2]
    channels = ["*", listed["channel"].iloc[1]]
    heard(ledger, tmp_path / "p.csv", world, 0, customer_id=[gone, other], channel=channels, allowed=["no"] * 2)
    again = crl.decide("uniform", frame, world, day=day(0), ledger=ledger)
    assert np.array_equal(again.action, first.action)
    assert again.sends()["customer_id"].tolist() == listed["customer_id"].iloc[2:].tolist()
    assert ledger.counts()["decisions"] == 120


def test_a_ledger_only_moves_forward(tmp_path):
    """Bad input 27: windows of an earlier day would not count what was sent since."""
    world = crl.load_world("ecommerce")
    frame, ledger = table(world, 60), begun(world, tmp_path, 60)
    first = crl.decide("uniform", frame, world, day=day(3), ledger=ledger)
    crl.decide("uniform", frame, world, day=day(5), ledger=ledger)
    with pytest.raises(UsageError, match="only moves forward"):
        crl.decide("uniform", frame, world, day=day(4), ledger=ledger)
    again = crl.decide("uniform", frame, world, day=day(3), ledger=ledger)  # but what is in it may be repeated
    assert np.array_equal(again.action, first.action)


def test_no_word_that_comes_in_later_lifts_an_erasure(tmp_path):
    """Invariant I2: suppression survives erasure and the order of imports."""
    world = crl.load_world("ecommerce")
    frame, ledger = table(world, 40), begun(world, tmp_path, 40)
    one = frame["customer_id"][3]
    erase(ledger, one, today=day(2))
    heard(ledger, tmp_path / "p.csv", world, 1, customer_id=[one], channel=["*"], allowed=["yes"])
    assert standing(ledger, (day(4) - EPOCH).days, frame["customer_id"].to_numpy(object), ["sms"]).suppressed[3]


def test_no_output_lies_in_the_ledger(tmp_path):
    world = crl.load_world("ecommerce")
    ledger = begun(world, tmp_path, 20)
    table(world, 20).to_csv(tmp_path / "c.csv", index=False)
    kept = (ledger.folder / "ledger.json").read_bytes()
    words = ["decide", "uniform", tmp_path / "c.csv", "--as-of", day(0), "--ledger", ledger.folder]
    for name in ("ledger.json", "sends.csv"):
        run = command(*words, "-o", ledger.folder / name)
        assert "another file than --ledger" in run.communicate(timeout=60)[1].decode()
        assert run.returncode == 2
    assert (ledger.folder / "ledger.json").read_bytes() == kept
    assert ledger.counts()["decisions"] == 0


def test_a_no_is_of_every_spelling_of_an_id_and_a_yes_of_the_very_one(tmp_path):
    world = crl.load_world("ecommerce")
    ledger, ids = begun(world, tmp_path, 10), np.array(["007", "7", "7.0", "x"], dtype=object)
    heard(ledger, tmp_path / "p.csv", world, 0, customer_id=[" 7"], channel=["sms"], allowed=["no"])
    heard(ledger, tmp_path / "p.csv", world, 1, customer_id=["007"], channel=["sms"], allowed=["yes"])
    heard(ledger, tmp_path / "p.csv", world, 1, customer_id=["0x"], channel=["*"], allowed=["no"])
    now = standing(ledger, (day(2) - EPOCH).days, ids, ["sms"])
    assert now.consent[0].tolist() == [1, 0, 0, -1]
    assert not now.suppressed.any()


def test_what_nobody_has_told_is_not_nothing(tmp_path):
    """Design 7, law 3: without outcomes a passed window is no reward of zero, and the evaluator is not asked."""
    world = crl.load_world("tight_budget")
    frame, ledger = table(world, 80), begun(world, tmp_path, 80)
    for t in (0, 5):
        crl.decide("uniform", frame, world, day=day(t), ledger=ledger)
    silent = ledger_log(ledger, world, as_of=day(200))
    assert not silent.matured.any()
    with pytest.raises(SupportError, match="none of the log's"):
        crl.evaluate(silent, "uniform")
    window = world.outcome_days
    click = {"outcome_id": ["c"], "customer_id": [frame["customer_id"][0]], "kind": ["click"], "day": [day(1)]}
    add(ledger, "outcomes", put(tmp_path / "o.csv", **click), world, today=day(window + 1))
    log = ledger_log(ledger, world, as_of=day(200))
    assert np.array_equal(log.matured, log.day == log.day.min())  # those of day 5 have not been told of yet
    assert not ledger_log(ledger, world, as_of=day(window - 1)).matured.any()

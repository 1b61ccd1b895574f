"""Mornings in any order: opt-ins, opt-outs, decisions, answers, erasures, repeats and clock jumps, as a state machine.

After every step a model of a few lines, which shares no code with guard or ledger, says whether an invariant of sends
was broken: consent (I1), suppression and erasure (I2, I15), eligibility, dates and stock (I3), caps (I4), budget and
capacity at every prefix (I5), quiet hours in the customer's zone (I6), repeats (I7), every answer counted once (I8),
exact propensities (I9), holdout (I10), the order of rows (I11), nothing half-written (I12), reasons (I13), and that one
rule more never opens anything (I16).
"""

import datetime
import shutil
import tempfile
import threading
import zoneinfo
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import campaignrl as crl
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import DataError, UsageError
from campaignrl.ledger import Ledger, LedgerMoved, add, erase, ledger_log, tampered
from campaignrl.send import audit_ledger
from campaignrl.specs import bundled_files

START = datetime.date(2026, 1, 1)
WHO = [f"c{i}" for i in range(14)]
CHANNELS = ("sms", "call")
PAID_FOR = 60  # customers that budget and capacity are for
HOLDOUT = 0.15
LAST_DAY = datetime.date(2026, 1, 20)  # of the coupon
STOCK = 5  # of it
HOURS = ("07:30", "14:00", "22:30")  # of sending, on the clock of Berlin
ZONES = ("", "Europe/Berlin", "America/New_York", "Asia/Tokyo")
ORDERED = {one: float(i % 3) for i, one in enumerate(WHO)}  # who never ordered gets no coupon
WINDOWS = {"sms": 7, "call": 14}
ANSWER_DAYS = 7
STRICTER = {
    "cap": {
        "caps": [{"channel": "sms", "per_days": 7, "at_most": 0}, {"channel": "call", "per_days": 14, "at_most": 1}]
    },
    "gap": {"min_gap_days": 30},
    "holdout": {"holdout": 0.4},
    "quiet": {"quiet_hours": {"from_hour": 13, "to_hour": 11}},
}
AGAINST = "handed over after the permission was taken away"


def world():
    text = Path(bundled_files("envs")["tight_budget"]).read_text(encoding="utf-8")
    quiet = 'timezone = "Europe/Berlin"\nquiet_hours = { from_hour = 21, to_hour = 8 }\n'
    text = text.replace("[guard]\n", f"[guard]\nholdout = {HOLDOUT}\n{quiet}", 1)
    coupon = f'only_if = "orders >= 1"\nvalid_until = {LAST_DAY}\nstock = {STOCK}\n'
    text = text.replace("[offers.coupon15]\n", f"[offers.coupon15]\n{coupon}", 1)
    return text.replace(
        "[channels.call]\n", "[channels.call]\ncapacity = { sends_per_day_per_1000_customers = 17 }\n", 1
    )


class Mornings(RuleBasedStateMachine):
    @initialize(consents=st.lists(st.sampled_from([1.0, 0.0, np.nan]), min_size=28, max_size=28))
    def begin(self, consents):
        self.place = Path(tempfile.mkdtemp())
        (self.place / "w.toml").write_text(world())
        self.world = crl.load_world(self.place / "w.toml")
        self.ledger = Ledger.create(self.place / "led", self.world, start=START, customers=PAID_FOR)
        frame = customers_frame(Panel(self.world, len(WHO), seed=5)).assign(customer_id=WHO)
        self.said = dict(zip([(one, c) for one in WHO for c in CHANNELS], consents, strict=True))
        for c in CHANNELS:
            frame[f"consent_{c}"] = [self.said[one, c] for one in WHO]
        frame = frame.assign(orders=list(ORDERED.values()), timezone=[ZONES[i % 4] for i in range(len(WHO))])
        self.frame = frame.drop(columns=[c for c in frame if c.startswith("contacts_")])
        self.today, self.words, self.sends, self.erased, self.last, self.files = 0, [], [], set(), None, 0
        self.listed, self.long = [WHO[0]], 0  # the suppression list, and its length in the last run
        self.brought = []  # (customer, day, currency) of answers
        self.against = False  # whether anything may have been handed over against a word

    def teardown(self):
        shutil.rmtree(getattr(self, "place", "/nonexistent"), ignore_errors=True)

    # ---- what happens

    def date(self):
        return START + datetime.timedelta(days=self.today)

    def come_in(self, what, text):
        self.files += 1
        path = self.place / f"{self.files}.csv"
        path.write_text(text)
        return add(self.ledger, what, path, self.world, today=self.date())

    @rule(one=st.sampled_from(WHO), channel=st.sampled_from([*CHANNELS, "*"]), yes=st.booleans())
    def permission(self, one, channel, yes):
        row = f"customer_id,channel,allowed,day\n{one},{channel},{'yes' if yes else 'no'},{self.date()}\n"
        self.come_in("permissions", row)
        self.come_in("permissions", row)  # the same file twice says nothing new
        self.words.append((self.today, one, channel, yes))

    @rule(one=st.sampled_from(WHO))
    def the_suppression_list_grows(self, one):
        if one not in self.listed and len(self.listed) < 4:
            self.listed = [*self.listed, one]

    @rule(days=st.integers(1, 9))
    def time_passes(self, days):
        self.today += days

    @rule(seed=st.integers(0, 3), budget=st.sampled_from([None, 0.0, 1.0]), hour=st.sampled_from(HOURS))
    def decide(self, seed, budget, hour):
        call = self.call(seed, budget, hour)
        before = len(self.ledger.read("decisions"))
        found = crl.decide("uniform", self.frame.sample(frac=1.0, random_state=seed), self.world, **call)
        again = len(self.ledger.read("decisions")) == before  # the same run stood there already
        other = crl.decide("uniform", self.frame, self.world, **call)  # the same run, rows in another order
        one, two = (f.to_frame().sort_values("customer_id", ignore_index=True) for f in (found, other))
        pd.testing.assert_frame_equal(one, two)
        assert len(self.ledger.read("decisions")) == before + (0 if again else len(WHO) - len(self.erased))
        if not again:
            self.check(found, call)
            self.last = (call, one)

    def call(self, seed, budget=None, hour=HOURS[1]):
        asked = {"day": self.date(), "seed": seed, "budget": budget, "send_at": hour, "suppressed": self.listed}
        return {**asked, "ledger": self.ledger}

    @precondition(lambda self: self.last is not None)
    @rule()
    def repeat(self):
        """A run that is repeated lists the same, without those who withdrew since; nothing is added."""
        call, first = self.last
        before = len(self.ledger.read("decisions"))
        found = crl.decide("uniform", self.frame, self.world, **call)
        assert len(self.ledger.read("decisions")) == before
        sent = first[first["channel"] != ""]
        listed = [
            one for one, channel in zip(sent["customer_id"], sent["channel"], strict=True) if self.may(one, channel)
        ]
        assert sorted(found.sends()["customer_id"]) == sorted(listed)

    @precondition(lambda self: self.last is not None and self.last[0]["day"] > START)
    @rule()
    def the_clock_jumps_back(self):
        call = {**self.last[0], "day": self.last[0]["day"] - datetime.timedelta(days=1), "seed": 77}
        self.refused(call, UsageError, "moves forward")

    @precondition(lambda self: self.long > 2)
    @rule()
    def most_of_the_suppression_list_is_lost(self):
        self.refused({**self.call(78), "suppressed": self.listed[:1]}, DataError, "of the last run")

    def refused(self, call, error, words):
        before = len(self.ledger.read("decisions"))
        with pytest.raises(error, match=words):
            crl.decide("uniform", self.frame, self.world, **call)
        assert len(self.ledger.read("decisions")) == before

    @precondition(lambda self: self.sends)
    @rule(which=st.integers(0, 10**6), status=st.sampled_from(["sent", "unknown", "refused"]))
    def handed_over(self, which, status):
        send = self.sends[which % len(self.sends)]
        if send["id"] is None or (send["told"] and not (status == "sent" and not send["counts"])):
            return  # a tool that said refused may say later that it was sent after all
        self.come_in("handovers", f"decision_id,status,day\n{send['id']},{status},{self.date()}\n")
        gone = {
            day for day, one, c, yes in self.words if one == send["one"] and c in ("*", send["channel"]) and not yes
        }
        self.against |= status == "sent" and any(day < self.today for day in gone)
        send["told"], send["counts"] = True, status != "refused"

    @precondition(lambda self: self.erased)
    @rule(which=st.integers(0, 10**6))
    def a_file_names_an_erased_customer(self, which):
        one = sorted(self.erased)[which % len(self.erased)]
        counts = self.ledger.counts()
        assert self.come_in("handovers", f"decision_id,status,day\n0123456789ab-{one},sent,{self.date()}\n").erased == 1
        assert self.come_in("permissions", f"customer_id,channel,allowed,day\n{one},*,yes,{self.date()}\n").erased == 1
        assert self.ledger.counts() == counts

    @precondition(lambda self: self.sends)
    @rule(which=st.integers(0, 10**6), kind=st.sampled_from(["unsubscribe", "order", "refund"]))
    def an_answer_comes_twice(self, which, kind):
        """Once alone, and once more in a longer file beside one that is new: each counts once."""
        send = self.sends[which % len(self.sends)]
        if send["one"] in self.erased:
            return
        head, new = "outcome_id,decision_id,kind,day,channel,margin\n", self.files
        amount = {"unsubscribe": "", "order": "12.5", "refund": "2.25"}[kind]
        row = f"u{new},{send['id']},{kind},{self.date()},,{amount}\n"
        assert self.come_in("outcomes", head + row).new == 1
        click = f"v{new},{send['id']},click,{self.date()},,\n"
        assert self.come_in("outcomes", head + click + row).new == 1
        worth = {"unsubscribe": -1.0, "order": 12.5, "refund": -2.25}[kind]
        self.brought.append((send["one"], self.today, worth))
        if kind == "unsubscribe":
            self.words.append((self.today, send["one"], "*", False))

    @rule(one=st.sampled_from(WHO))
    def forget(self, one):
        if len(self.erased) < 3:
            erase(self.ledger, one, today=self.date())
            self.erased.add(one)
            for send in self.sends:
                if send["one"] == one:
                    send["id"] = None

    @rule(seed=st.integers(4, 6))
    def a_run_that_rests_on_an_older_ledger(self, seed):
        """What another one has changed since refuses it whole."""
        head = self.ledger.head
        rows = self.ledger.read("decisions").slice(0, 1)
        if not len(rows):
            return
        self.decide(seed, None, HOURS[1])
        if self.ledger.head > head:
            before = len(self.ledger.read("decisions"))
            with pytest.raises(LedgerMoved):
                self.ledger.append("decisions", rows, f"other-{self.ledger.head}", head)
            assert len(self.ledger.read("decisions")) == before

    @rule(seeds=st.sampled_from([(7, 8), (9, 9)]))
    def two_at_once(self, seeds):
        """Two runs begin at the same moment: one waits for the other, and of two that are the same there is one."""
        before, found = self.ledger.read("decisions", ["run_id"])["run_id"].unique().to_pylist(), {}
        begin = threading.Barrier(2)

        def run(place):
            call = {**self.call(seeds[place]), "ledger": str(self.ledger.folder)}
            begin.wait()
            found[place] = crl.decide("uniform", self.frame.sample(frac=1.0, random_state=place), self.world, **call)

        both = [threading.Thread(target=run, args=(place,)) for place in (0, 1)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        rows = self.ledger.read("decisions", ["run_id", "chain", "chain_before"]).to_pandas().drop_duplicates()
        new = rows[~rows["run_id"].isin(before)]
        first = new[~new["chain_before"].isin(new["chain"])]["run_id"].tolist()
        runs = {one.run: one for one in sorted(found.values(), key=lambda one: one.run not in first)}
        assert len(found) == 2
        assert len(runs) == len(set(seeds))
        for run_id, one in runs.items():
            if run_id not in before:
                self.check(one, self.call(0))
        self.last = None  # of the two, nobody repeats one

    # ---- the model

    def word(self, one, channel):
        """The last word of the ledger on a channel; of two of a day the refusal. None: never heard of."""
        mine = [(day, not yes) for day, who, c, yes in self.words if who == one and c == channel]
        return None if not mine else not max(mine)[1]

    def may(self, one, channel):
        if one in self.erased or self.word(one, "*") is False or self.word(one, channel) is False:
            return False
        said = self.said[one, channel]
        return said == 1.0 or (np.isnan(said) and self.word(one, channel) is True)

    def counted(self, one, channel, days):
        since = self.today - days
        return sum(
            s["counts"] and s["one"] == one and channel in (s["channel"], None) and s["day"] > since for s in self.sends
        )

    def awake(self, one, hour):
        """Whether the list goes out between 8 and 21 o'clock where the customer lives."""
        zone = zoneinfo.ZoneInfo(ZONES[WHO.index(one) % 4] or "Europe/Berlin")
        at = datetime.datetime.combine(
            self.date(), datetime.time.fromisoformat(hour), zoneinfo.ZoneInfo("Europe/Berlin")
        )
        return 8 <= at.astimezone(zone).hour < 21

    def open(self, one, name, channel, call, held):
        """Whether the model would let an action through, whatever is left of money, room and stock."""
        fine = self.may(one, channel) and one not in call["suppressed"] and one not in held
        fine = fine and self.awake(one, call["send_at"]) and self.counted(one, channel, WINDOWS[channel]) < 1
        return fine and (name != "coupon15" or (ORDERED[one] >= 1 and self.date() <= LAST_DAY))

    def check(self, found, call):
        rows, today = found.to_frame().to_dict("records"), []
        ids = dict(zip(found.ids, (f"{found.run[:12]}-{one}" for one in found.ids), strict=True))
        held = {row["customer_id"] for row in rows if "holdout" in row["blocked"].split("; ")}
        assert held == getattr(self, "held", held)  # the same customers, ever
        self.held, self.long = held, len(self.listed)
        room = STOCK - sum(s["counts"] and s["offer"] == "coupon15" for s in self.sends)
        cuts = {}
        for row, allowed, drawn in zip(rows, found.eligible, found.propensity_before, strict=True):
            one, channel = row["customer_id"], row["channel"]
            assert 0 < row["propensity"] <= 1
            assert row["reason"]
            busy = self.counted(one, None, 1) > 0  # something goes to it today already
            for action, is_open in zip(found.catalog.names[1:], allowed[1:], strict=True):
                name, _, on = action.partition("@")
                fine = not busy and self.open(one, name, on, call, held) and (name != "coupon15" or room > 0)
                assert is_open == fine, f"{action} for {one}: {row['blocked']}"
            if channel or row["propensity"] == drawn:
                assert drawn == pytest.approx(1 / allowed.sum())
            if not channel:
                assert allowed.sum() > 1 or row["blocked"]  # which rule left nothing
                continue
            cuts.setdefault((channel, row["offer"] == "coupon15"), []).append(row["propensity"] / drawn)
            cost, name = round(100 * row["cost"]), row["offer"]
            today.append({"one": one, "channel": channel, "offer": name, "day": self.today, "cost": cost})
        for served in cuts.values():  # whoever was served had the same chance to be
            assert served == pytest.approx([served[0]] * len(served))
        self.sends += [{**s, "id": ids[s["one"]], "told": False, "counts": True} for s in today]
        calls = sum(s["channel"] == "call" and s["day"] == self.today and s["counts"] for s in self.sends)
        assert calls <= 17 * PAID_FOR // 1000 or not any(s["channel"] == "call" for s in today)
        assert sum(s["offer"] == "coupon15" for s in today) <= max(room, 0)
        spent = sum(s["cost"] for s in self.sends if s["counts"])
        released = min(self.today + 1, self.world.horizon)
        assert spent <= 100 * 300 * PAID_FOR // 1000 * released // self.world.horizon or not any(
            s["cost"] for s in today
        )
        assert call["budget"] is None or sum(s["cost"] for s in today) <= 100 * call["budget"]

    @precondition(lambda self: hasattr(self, "held"))
    @rule(more=st.sampled_from(["cap", "gap", "holdout", "quiet", "date", "who", "list", "consent", "contact", "own"]))
    def one_rule_more_opens_nothing(self, more):
        """The same morning by hand, with the model's own counts, and once more under one rule, or one word, more."""
        frame, tables = self.by_hand(), self.world.model_dump(exclude_unset=True)
        tables["offers"]["coupon15"].pop("stock")  # without a ledger a day's share of it counts, which is none
        plain_world = crl.load_world(tables)
        call = {"day": self.date(), "send_at": HOURS[1], "suppressed": self.listed}
        plain = crl.decide("uniform", frame, plain_world, **call)
        strict, listed = frame, self.listed
        if more in STRICTER:
            tables["guard"] |= STRICTER[more]
        elif more in ("date", "who"):
            said = {"valid_until": datetime.date(2026, 1, 4)} if more == "date" else {"only_if": "orders >= 2"}
            tables["offers"]["coupon15"] |= said
        elif more == "list":
            listed = [*self.listed, *WHO[3:6]]
        else:
            column, value = {
                "consent": ("consent_sms", 0.0),
                "contact": ("contacts_sms_7d", 1.0),
                "own": ("holdout", "yes"),
            }[more]
            half = frame.index % 2 == 0
            strict = frame.assign(**{column: frame[column].where(~half, value)})
        found = crl.decide("uniform", strict, crl.load_world(tables), **{**call, "suppressed": listed})
        assert not (found.eligible & ~plain.eligible).any()
        for one, allowed, blocked in zip(plain.ids, plain.eligible, plain.blocked, strict=True):
            for action, is_open in zip(plain.catalog.names[1:], allowed[1:], strict=True):
                name, _, on = action.partition("@")
                assert is_open == self.open(one, name, on, call, self.held), f"{action} for {one}: {blocked}"

    def by_hand(self):
        """The customers with what the model knows, for a run without a ledger."""
        counts = {f"contacts_{days}d": (None, days) for days in (7, 30)}
        counts |= {f"contacts_{channel}_{days}d": (channel, days) for channel, days in WINDOWS.items()}
        columns = {name: [float(self.counted(one, *of)) for one in WHO] for name, of in counts.items()}
        columns |= {f"consent_{c}": [float(self.may(one, c)) for one in WHO] for c in CHANNELS}
        return self.frame.assign(**columns, holdout="no")

    @invariant()
    def what_stands_there_is_whole_and_kept_every_rule(self):
        if hasattr(self, "ledger"):
            assert tampered(self.ledger.read("decisions"), self.ledger.read("erasures")) == []
            policy = crl.load_policy("uniform", self.world) if self.sends else None
            broken = {found.rule for found in audit_ledger(self.ledger, policy=policy)[1]}
            assert broken <= ({AGAINST} if self.against else set())

    @precondition(lambda self: hasattr(self, "ledger") and self.sends)
    @invariant()
    def every_answer_counts_once_in_what_is_learned_from(self):
        if len(self.erased) == len(WHO) or not len(self.ledger.read("decisions", ["day"])):
            return
        log = ledger_log(self.ledger, self.world, as_of=self.date() + datetime.timedelta(days=1))
        daily = Counter()
        for one, day, worth in self.brought:
            daily[one, day] += worth
        for send in self.sends:
            daily[send["one"], send["day"]] -= send["counts"] * send["cost"] / 100
        for row in range(len(log)):
            one, first = log.customers[log.customer[row]], int(log.day[row]) - (START - datetime.date(1970, 1, 1)).days
            assert one not in self.erased
            assert log.reward[row] == pytest.approx(sum(daily[one, first + t] for t in range(ANSWER_DAYS)))


def play(examples, steps):
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Mornings,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[Phase.generate],  # a step writes to a disk: shrinking would take hours
            suppress_health_check=quiet,
            print_blob=False,
        ),
    )


def test_no_invariant_breaks_whatever_happens_in_whatever_order():
    play(6, 12)


@pytest.mark.slow
def test_no_invariant_breaks_in_long_lives():
    play(150, 40)

"""Mornings in any order: opt-ins, opt-outs, decisions, answers, erasures, repeats and clock jumps, as a state machine.

After every step a model of a few lines, which shares no code with guard or ledger, says whether an invariant of sends
was broken: consent (I1), suppression and erasure (I2, I15), caps (I4), budget at every prefix (I5), repeats (I7), exact
propensities (I9), holdout (I10), the order of rows (I11), nothing half-written (I12), reasons (I13).
"""

import datetime
import shutil
import tempfile
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
from campaignrl.errors import UsageError
from campaignrl.ledger import Ledger, LedgerMoved, add, erase, tampered
from campaignrl.send import audit_ledger
from campaignrl.specs import bundled_files

START = datetime.date(2026, 1, 1)
WHO = [f"c{i}" for i in range(14)]
CHANNELS = ("sms", "call")
PAID_FOR = 60  # customers that budget and capacity are for
HOLDOUT = 0.15
AGAINST = "handed over after the permission was taken away"
CAPACITY = "{ sends_per_day_per_1000_customers = 17 }"


def world():
    text = Path(bundled_files("envs")["tight_budget"]).read_text(encoding="utf-8")
    text = text.replace("[guard]\n", f"[guard]\nholdout = {HOLDOUT}\n", 1)
    text = text.replace(
        "[channels.call]\n", "[channels.call]\ncapacity = { sends_per_day_per_1000_customers = 17 }\n", 1
    )
    return text


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
        self.frame = frame.drop(columns=[c for c in frame if c.startswith("contacts_")])
        self.today, self.words, self.sends, self.erased, self.last, self.files = 0, [], [], set(), None, 0
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

    @rule(days=st.integers(1, 9))
    def time_passes(self, days):
        self.today += days

    @rule(seed=st.integers(0, 3), budget=st.sampled_from([None, 0.0, 1.0]))
    def decide(self, seed, budget):
        call = {"day": self.date(), "seed": seed, "budget": budget, "ledger": self.ledger}
        before = len(self.ledger.read("decisions"))
        found = crl.decide("uniform", self.frame.sample(frac=1.0, random_state=seed), self.world, **call)
        again = len(self.ledger.read("decisions")) == before  # the same run stood there already
        other = crl.decide("uniform", self.frame, self.world, **call)  # the same run, rows in another order
        one, two = (f.to_frame().sort_values("customer_id", ignore_index=True) for f in (found, other))
        pd.testing.assert_frame_equal(one, two)
        assert len(self.ledger.read("decisions")) == before + (0 if again else len(WHO) - len(self.erased))
        if not again:
            self.check(found)
            self.last = (call, one)

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
        before = len(self.ledger.read("decisions"))
        with pytest.raises(UsageError, match="moves forward"):
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
    @rule(which=st.integers(0, 10**6))
    def unsubscribe(self, which):
        send = self.sends[which % len(self.sends)]
        if send["one"] in self.erased:
            return
        self.come_in(
            "outcomes",
            f"outcome_id,decision_id,kind,day,channel\nu{self.files},{send['id']},unsubscribe,{self.date()},\n",
        )
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
    def two_at_once(self, seed):
        """A run that rests on what another one has changed since is refused whole."""
        head = self.ledger.head
        rows = self.ledger.read("decisions").slice(0, 1)
        if not len(rows):
            return
        self.decide(seed, None)
        if self.ledger.head > head:
            before = len(self.ledger.read("decisions"))
            with pytest.raises(LedgerMoved):
                self.ledger.append("decisions", rows, f"other-{self.ledger.head}", head)
            assert len(self.ledger.read("decisions")) == before

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
        return sum(s["counts"] and s["one"] == one and s["channel"] == channel and s["day"] > since for s in self.sends)

    def check(self, found):
        rows, today = found.to_frame(), []
        ids = dict(zip(found.ids, (f"{found.run[:12]}-{one}" for one in found.ids), strict=True))
        for row, allowed, drawn in zip(rows.to_dict("records"), found.eligible, found.propensity_before, strict=True):
            one, channel = row["customer_id"], row["channel"]
            assert 0 < row["propensity"] <= 1
            assert row["reason"]
            if channel or row["propensity"] == drawn:
                assert drawn == pytest.approx(1 / allowed.sum())
            if not channel:
                continue
            assert self.may(one, channel), f"{one} on {channel}"
            assert self.counted(one, channel, {"sms": 7, "call": 14}[channel]) < 1
            assert not any(s["one"] == one and s["day"] == self.today and s["counts"] for s in self.sends)
            assert "holdout" not in row["blocked"]
            today.append({"one": one, "channel": channel, "day": self.today, "cost": round(100 * row["cost"])})
        held = {r["customer_id"] for r in rows.to_dict("records") if "holdout" in r["blocked"].split("; ")}
        assert held == getattr(self, "held", held)  # the same customers, ever
        self.held = held
        self.sends += [{**s, "id": ids[s["one"]], "told": False, "counts": True} for s in today]
        calls = sum(s["channel"] == "call" and s["day"] == self.today and s["counts"] for s in self.sends)
        assert calls <= 17 * PAID_FOR // 1000 or not any(s["channel"] == "call" for s in today)
        spent = sum(s["cost"] for s in self.sends if s["counts"])
        released = min(self.today + 1, self.world.horizon)
        assert spent <= 100 * 300 * PAID_FOR // 1000 * released // self.world.horizon or not any(
            s["cost"] for s in today
        )

    @invariant()
    def what_stands_there_is_whole_and_kept_every_rule(self):
        if hasattr(self, "ledger"):
            assert tampered(self.ledger.read("decisions"), self.ledger.read("erasures")) == []
            policy = crl.load_policy("uniform", self.world) if self.sends else None
            broken = {found.rule for found in audit_ledger(self.ledger, policy=policy)[1]}
            assert broken <= ({AGAINST} if self.against else set())


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
    play(10, 12)


@pytest.mark.slow
def test_no_invariant_breaks_in_long_lives():
    play(150, 40)

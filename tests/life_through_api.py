"""A world whose customers are decided for through the service's API alone, and whose answers come back through it."""

import datetime
from dataclasses import dataclass, field

import numpy as np
from service_face import Face

from campaignrl.dynamics import Outcome
from campaignrl.envs import Panel, customers_frame
from campaignrl.ledger import EPOCH, Ledger
from campaignrl.service import flow
from campaignrl.service.store import replace_customers

START = datetime.date(2026, 6, 1)
AT_ONCE = 1_000


@dataclass
class Life:
    """One service, its ledger, its world, on the morning of a day; rewards: by day what each customer brought."""

    face: Face
    ledger: Ledger
    panel: Panel
    days: list
    rng: np.random.Generator
    rewards: list = field(default_factory=list)
    late: list = field(default_factory=list)

    @property
    def today(self):
        return self.days[0]

    def day(self, keeps=lambda row: True):
        """A morning's table, everybody's decision, what comes of it (told late, shuffled, doubled), the flow."""
        table = customers_frame(self.panel)
        with self.face.service.store.writing() as con:
            replace_customers(con, table[[c for c in table.columns if not c.startswith("contacts_")]])
        self.face.service._read_again = 0.0  # a test's day is shorter than a service's patience
        self.face.service.catch_up()
        made = self._decided(list(table["customer_id"]))
        outcome = self.panel.step(np.array([one["number"] for one in made]))
        self.rewards.append(np.asarray(outcome.reward, dtype=np.float64))
        self._tell([row for row in self._came(made, outcome) if keeps(row)])
        flow(self.face.service.store, self.ledger, self.panel.world, self.today)
        self.days[0] += datetime.timedelta(days=1)

    def _decided(self, ids):
        names, made = list(self.panel.world.catalog.names), []
        for start in range(0, len(ids), AT_ONCE):
            body = {"customer_ids": ids[start : start + AT_ONCE]}
            found = self.face.post("/v1/decide/batch", body, f"{self.today}-{start}")
            assert found.status_code == 200, found.text
            made += found.json()["decisions"]
        return [{**one, "number": names.index(one["action"])} for one in made]

    def _came(self, made, outcome: Outcome):
        """Rows of what happened today: an order with its margin, less what was given away."""
        margin = np.asarray(outcome.margin, dtype=np.float64) - outcome.discount
        for i, one in enumerate(made):
            said = {"decision_id": one["decision_id"], "day": self.today.isoformat()}
            for kind, hit in (
                ("open", outcome.opened),
                ("click", outcome.clicked),
                ("unsubscribe", outcome.unsubscribed),
                ("order", outcome.bought),
            ):
                if hit[i]:
                    row = {**said, "outcome_id": f"{one['decision_id']}-{kind}", "kind": kind}
                    yield row | (
                        {"margin": round(float(margin[i]), 2)} if kind == "order" else {"channel": one["channel"]}
                    )

    def _tell(self, rows):
        """A tenth comes a day late, a tenth twice; an unsubscribe never waits. In any order."""
        chance = self.rng.random(len(rows))
        waits = [row["kind"] != "unsubscribe" and u < 0.1 for row, u in zip(rows, chance, strict=True)]
        now = [row for row, wait in zip(rows, waits, strict=True) if not wait] + self.late
        self.late = [row for row, wait in zip(rows, waits, strict=True) if wait]
        now += [row for row, u in zip(rows, chance, strict=True) if u > 0.9]
        now = [now[i] for i in self.rng.permutation(len(now))]
        for start in range(0, len(now), AT_ONCE):
            told = self.face.post("/v1/outcomes", {"outcomes": now[start : start + AT_ONCE]})
            assert told.status_code == 200, told.text
            assert set(told.json()["counts"]) <= {"new", "repeated"}

    def end(self):
        """What is still late comes, and one word more, so that what nobody told is known to be nothing."""
        last = {"outcome_id": "last", "customer_id": str(self.panel.ids[0]), "kind": "open"}
        self._tell([])
        assert self.face.post("/v1/outcomes", {"outcomes": [last]}).status_code == 200
        flow(self.face.service.store, self.ledger, self.panel.world, self.today)

    def brought(self, log):
        """(n,) what the world says that each row of a log brought within the window of its day."""
        window, world = np.array(self.rewards), self.panel.world
        first = log.day - (START - EPOCH).days
        summed = np.cumsum(np.vstack([np.zeros(window.shape[1]), window]), axis=0)
        ends = np.minimum(first + world.outcome_days, len(window))
        who = np.array([int(one) for one in log.customers])[log.customer]
        place = np.argsort(self.panel.ids)[np.searchsorted(np.sort(self.panel.ids), who)]
        return summed[ends, place] - summed[first, place]


def begin(folder, world, policy, customers, seed, **more):
    """A life on its first morning; `with` its face."""
    days = [START]
    panel = Panel(world, customers, seed)
    ledger = Ledger.create(folder / "led", world, start=START, customers=customers)
    table = customers_frame(panel)
    table = table[[c for c in table.columns if not c.startswith("contacts_")]]
    more |= {
        "clock": lambda: days[0],
        "salt": ledger.salt,
        "start": START,
        "horizon_customers": customers,
        "seed": seed,
        "policy_seconds": 60.0,  # of a day that is played, on a machine that has other things to do
    }
    face = Face(folder, world, table, policy=str(policy), **more)
    return Life(face, ledger, panel, days, np.random.default_rng(seed))

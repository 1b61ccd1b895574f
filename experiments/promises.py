"""What vendors of such products promise, as they word it and as it can be meant: is it so?

Per world one policy is taught, and a price on any send (found on other customers) makes it write about as often as
asked. Beside it play as many sends without a target, and nothing sent: the same customers with the same luck. As the
field words its promises, the policy is held against the untargeted sends and nobody asks what would have come anyway;
as they can be meant, against nothing sent. Intervals are Student's t over seeds, each of which brings other customers.
Writes a section of docs/results.md between its marks. Trainings and plays are kept.

    python experiments/promises.py --docs docs/results.md
    python experiments/promises.py --worlds retail --contacts 5 --seeds 3 --customers 500 --taught 1000
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

import campaignrl as crl
from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.envs import Panel
from campaignrl.envs.truth import Life, nothing
from campaignrl.policies import one_blas_thread
from campaignrl.suites import evaluation_ids, kept, run_cells, run_study, study_words, write_between

MARK = "promises"
POLICY = "rollout"  # any kind with scores
PILOT, FIRST_SEED = np.arange(1 << 41, (1 << 41) + 1_500), 400  # no setting was chosen on seeds from here on
HALVINGS = 9
HEAD = ("figure", "promised", "as worded: over as many sends without a target", "reached", "over nothing sent")
DEAREST = 5.0  # currency, a price at which hardly anything is sent


class Promise(NamedTuple):
    """One line of the table. Figures are means by seed, (S,), by way and name."""

    says: str
    promised: str
    least: float | None  # that the first reading must reach; None: nobody names one
    worded: Callable | None  # what vendors count
    unit: str
    meant: Callable  # the same against nothing sent
    unit_meant: str
    sign: int = 1  # -1: less is better


class Interval(NamedTuple):
    """Mean over seeds and its 95 % interval."""

    mean: float
    low: float
    high: float


def over_seeds(top, bottom=1.0) -> Interval:
    """Of the ratio of two means (S,), linearised, or of a mean."""
    top, bottom = np.asarray(top, dtype=float), np.broadcast_to(np.asarray(bottom, dtype=float), np.shape(top))
    ratio = float(top.mean() / bottom.mean())
    each = (top - ratio * bottom) / bottom.mean()
    half = float(stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each)))
    return Interval(ratio, ratio - half, ratio + half)


def change(figure: str, of: str | None = None, beside: str = "untargeted") -> Callable:
    """A figure (for each of another) of the policy over that of another way, relative."""

    def found(ways: dict) -> Interval:
        ours, theirs = (ways[way][figure] / (ways[way][of] if of else 1.0) for way in ("policy", beside))
        return over_seeds(ours - theirs, theirs)

    return found


def share_kept(ways: dict) -> Interval:
    """Of the fifth with the most spend before, who is a customer at the end."""
    return over_seeds(ways["policy"]["top_kept"])


def caused(figure: str, over: str | None = None, times: float = 1.0) -> Callable:
    """What the policy adds to a figure, against nothing sent, for each of another figure of the policy."""

    def found(ways: dict) -> Interval:
        extra = times * (ways["policy"][figure] - ways["nothing"][figure])
        return over_seeds(extra, ways["policy"][over] if over else 1.0)

    return found


def cost_of_an_order(ways: dict) -> Interval:
    """Sends and discounts that the policy adds, for each order that it adds; none where no order is shown."""
    orders = ways["policy"]["orders"] - ways["nothing"]["orders"]
    if over_seeds(orders).low <= 0.0:
        return Interval(np.nan, np.nan, np.nan)
    return over_seeds(ways["policy"]["spent"] - ways["nothing"]["spent"], orders)


def counted(figure: str, of: str, times: float = 1.0) -> Callable:
    """A figure of the policy for each of another."""
    return lambda ways: over_seeds(times * ways["policy"][figure], ways["policy"][of])


def difference(figure: str, of: str) -> Callable:
    """Of a share, in points, against nothing sent."""

    def found(ways: dict) -> Interval:
        ours, idle = (ways[way][figure] / ways[way][of] for way in ("policy", "nothing"))
        return over_seeds(ours - idle)

    return found


PROMISES = (
    Promise(
        "conversion: customers who order", "+40 %", 0.40,
        change("buyers"), "change", change("buyers", beside="nothing"), "change",
    ),
    Promise(
        "cost per reach: of a delivered message; of an order that it caused", "-25 %", -0.25,
        change("cost", "delivered"), "change", cost_of_an_order, "money", -1,
    ),
    Promise(
        "repurchase: second order among buyers", "+30 %", 0.30,
        change("again", "buyers"), "change", difference("again", "buyers"), "points",
    ),
    Promise(
        "top fifth by spend still customers", "85 %", 0.85, share_kept, "share", difference("top_kept", "one"), "points"
    ),
    Promise(
        "orders per 1,000 contacts: of whoever was written to; caused", "-", None,
        counted("orders_of_contacted", "contacts", 1000.0), "count", caused("orders", "contacts", 1000.0), "extra",
    ),
    Promise(
        "margin less discounts and sends, a customer", "-", None,
        counted("contribution", "one"), "money", caused("contribution"), "extra",
    ),
)  # fmt: skip
FORMS = {"change": (100, "{:+.1f} %"), "points": (100, "{:+.1f} points"), "share": (100, "{:.1f} %")}
FORMS |= {"money": (1, "{:.2f}"), "count": (1, "{:.1f}"), "extra": (1, "{:+.2f}")}


def figures(life: Life, top) -> dict[str, float]:
    """Means per customer of a campaign that is over."""
    totals, alive = life.totals, life.panel.state.alive
    orders, sent = totals["bought"], totals["sent"]
    return {
        "one": 1.0,
        "contacts": float(sent.mean()),
        "delivered": float(totals["delivered"].mean()),
        "cost": float(totals["cost"].mean()),
        "spent": float((totals["cost"] + totals["discount"]).mean()),
        "contribution": float(totals["reward"].mean()),
        "orders": float(orders.mean()),
        "orders_of_contacted": float((orders * (sent > 0)).mean()),
        "buyers": float((orders > 0).mean()),
        "again": float((orders > 1).mean()),
        "top_kept": float(alive[top].mean()),
    }


def played(world, decide, ids, seed: int) -> dict[str, float]:
    """Live through a campaign."""
    life = Life(world, decide, ids, seed)
    spend, alive = life.panel.state.spend.copy(), life.panel.state.alive.copy()
    while not life.panel.done:
        life.day()
    return figures(life, alive & (spend >= np.quantile(spend, 0.8)))


def at_price(policy, price: float) -> Callable:
    """Whatever is allowed and worth most, if worth more than the price."""

    def choice(panel: Panel, part: slice):
        seen = panel.observe(part)
        scores = policy.scores(seen)
        gains = np.where(panel.allowed(seen, part), scores - scores[:, [NONE]] - price, -np.inf)
        gains[:, NONE] = 0.0
        return gains.argmax(axis=1)

    return lambda panel: np.concatenate(panel.over_blocks(lambda part: choice(panel, part)))


def without_target(chance: float) -> Callable:
    """Any allowed send to any customer, with this chance a day."""

    def decide(panel: Panel):
        may = np.concatenate(panel.over_blocks(lambda part: panel.allowed(panel.observe(part), part)))
        u, v = (rng.uniform(panel.traits.key, panel.seed, panel.day, rng.Purpose.ACTION, k) for k in (1, 2))
        which = np.floor(v * may[:, 1:].sum(axis=1)).astype(np.int64)
        action = 1 + (np.cumsum(may[:, 1:], axis=1) <= which[:, None]).sum(axis=1)
        return np.where((u < chance) & may[:, 1:].any(axis=1), np.minimum(action, may.shape[1] - 1), NONE)

    return decide


def matched(world, way: Callable, contacts: float, low: float, high: float) -> float:
    """The setting in [low, high] at which pilot customers get so many contacts; contacts fall from low to high."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        sent = played(world, way(middle), PILOT, FIRST_SEED)["contacts"]
        low, high = (middle, high) if sent > contacts else (low, middle)
    return (low + high) / 2


def taught(name: str, customers: int, bundle: Path) -> str:
    """A policy for the world, kept."""
    if not bundle.exists():
        bundle.parent.mkdir(parents=True, exist_ok=True)
        crl.save_policy(crl.train(POLICY, name, customers=customers), bundle)
    return str(bundle)


def price_of(name: str, bundle: str, contacts: float) -> float:
    """The price at which the policy writes so often to pilot customers."""
    world, policy = crl.load_world(name), crl.load_policy(bundle)
    return DEAREST * matched(world, lambda x: at_price(policy, DEAREST * x**3), contacts, -1.0, 1.0) ** 3


def chance_of(name: str, contacts: float) -> float:
    """The chance a day at which sends without a target are so many."""
    return -matched(crl.load_world(name), lambda x: without_target(-x), contacts, -1.0, 0.0)


def by_seed(name: str, decide: Callable, key: str, seeds: int, customers: int) -> dict[str, np.ndarray]:
    """Figures (S,) of one way of deciding."""
    world, ids = crl.load_world(name), evaluation_ids(customers)
    runs = [
        kept(f"{key}-{seed}-{customers}.json", partial(played, world, decide, ids, seed))
        for seed in range(FIRST_SEED, FIRST_SEED + seeds)
    ]
    return {figure: np.array([run[figure] for run in runs]) for figure in runs[0]}


def cell(name: str, contacts: tuple, seeds: int, customers: int, training: int, folder: Path) -> dict:
    """One world: by number of contacts and way, figures by seed. The policy first, then as many without a target."""
    found, size = {}, (seeds, customers)
    with one_blas_thread():
        bundle = taught(name, training, folder / f"{name}-{training}.bundle")
        policy = crl.load_policy(bundle)
        for many in contacts:
            key = str(folder / f"{name}-{training}-{many:g}")
            price = kept(f"{key}-price.json", partial(price_of, name, bundle, many))
            ours = by_seed(name, at_price(policy, price), f"{key}-policy", *size)
            find = partial(chance_of, name, float(ours["contacts"].mean()))
            chance = kept(f"{key}-chance-{seeds}-{customers}.json", find)
            others = by_seed(name, without_target(chance), f"{key}-untargeted-{chance:.6f}", *size)
            idle = by_seed(name, nothing, str(folder / f"{name}-nothing"), *size)
            found[many] = {"nothing": idle, "untargeted": others, "policy": ours}
    return found


def promises(ways: dict) -> list[dict]:
    """Every promise as the field words it and as it can be meant, from the figures of one number of contacts."""
    rows = []
    for one in PROMISES:
        worded = one.worded(ways) if one.worded else None
        asked = worded is not None and one.least is not None
        reached = None if not asked else one.sign * worded.mean >= one.sign * one.least
        rows.append({"promise": one, "worded": worded, "reached": reached, "meant": one.meant(ways)})
    return rows


def said(value: Interval | None, unit: str) -> str:
    """With its interval."""
    if value is None:
        return "-"
    if not np.isfinite(value.mean):
        return "no order shown to be caused"
    times, form = FORMS[unit]
    mean, low, high = (form.format(times * x) for x in value)
    return f"{mean} [{low.split()[0]}, {high.split()[0]}]"


def document(found: dict[str, dict], seeds: int, customers: int) -> str:
    """For each world and number of contacts a table."""
    lines = []
    for name, levels in found.items():
        for asked, ways in levels.items():
            ours, theirs = (float(ways[way]["contacts"].mean()) for way in ("policy", "untargeted"))
            idle = {figure: 100.0 * values.mean() for figure, values in ways["nothing"].items()}
            lines += [
                f"**{name}, {asked:g} contacts asked**: {ours:.2f} by the policy, {theirs:.2f} without a target; "
                f"{seeds} seeds of {customers:,} customers. With nothing sent {idle['buyers']:.1f} % order, "
                f"{100.0 * idle['again'] / idle['buyers']:.1f} % of them again, and {idle['top_kept']:.1f} % of the "
                "top fifth stay.",
                "",
                f"| {' | '.join(HEAD)} |",
                "|---" * len(HEAD) + "|",
            ]
            for row in promises(ways):
                one = row["promise"]
                answer = {None: "-", True: "yes", False: "**no**"}[row["reached"]]
                lines.append(
                    f"| {one.says} | {one.promised} | {said(row['worded'], one.unit)} | {answer} | "
                    f"{said(row['meant'], one.unit_meant)} |"
                )
            lines.append("")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/promises", workers=1)
    words.add_argument("--worlds", nargs="+", default=["ecommerce"])
    words.add_argument("--contacts", nargs="+", type=float, default=[5.0, 12.0, 36.0], help="a customer and campaign")
    words.add_argument("--seeds", type=int, default=20, help=f"from {FIRST_SEED} on")
    words.add_argument("--customers", type=int, default=1_500, help="of each seed")
    words.add_argument("--taught", type=int, default=10_000, help="customers of each round of the training")
    words.add_argument("--docs", type=Path, help="page whose section is replaced, such as docs/results.md")
    chosen = words.parse_args(argv)
    how = {"contacts": tuple(chosen.contacts), "seeds": chosen.seeds, "customers": chosen.customers}
    work = partial(cell, training=chosen.taught, folder=chosen.output / "parts", **how)
    found = dict(zip(chosen.worlds, run_cells(work, chosen.worlds, chosen.workers), strict=True))
    text = document(found, chosen.seeds, chosen.customers)
    print(text)
    if chosen.docs:
        write_between(chosen.docs, MARK, text)


if __name__ == "__main__":
    run_study(main)

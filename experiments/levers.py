"""What does the greedy oracle send to whom, and where does its gain come from?

It knows every customer's true state and sends whatever gains most within the world's outcome window. Per world, its
sends that were served are counted by offer and true segment, each with its expected gain over nothing. A world has one
lever if a single pair of them holds the gain, and many if offers are best for different customers. Writes the tables of
docs/worlds.md and a picture.

    python experiments/levers.py --docs docs/worlds.md
    python experiments/levers.py --worlds bank --customers 1000
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import campaignrl as crl
from campaignrl.dynamics import parameters
from campaignrl.envs import Panel
from campaignrl.envs.truth import Life
from campaignrl.envs.truth.oracles import action_gains
from campaignrl.suites import run_cells, run_study, study_words, write_between

WORLDS = ("ecommerce", "bank", "retail", "travel")
LEAST, MOST = 0.05, 0.35  # share of the sends that makes an offer a lever; share of the gain that one pair may hold
MARK = "levers"


class Watched:
    """The greedy oracle, and what it decided last: (n,) actions and their expected gains, currency."""

    def __init__(self, world) -> None:
        self._world, self._parameters = world, parameters(world)
        self.action, self.gain = np.empty(0, dtype=np.int64), np.empty(0)

    def __call__(self, panel: Panel):
        """(n,) the allowed action that gains most; `none` where nothing gains."""
        may = panel.allowed(panel.observe())
        gains = action_gains(self._world, panel.traits, panel.state, panel.day, self._parameters, may)
        self.action = gains.argmax(axis=1)
        self.gain = gains.max(axis=1)
        return self.action


def levers(name: str, customers: int, seed: int) -> dict:
    """Sends and gain of a whole campaign, (offers, segments), of which capacity and budget let through."""
    world = crl.load_world(name)
    oracle = Watched(world)
    life = Life(world, oracle, customers, seed)
    sends, gain = np.zeros((2, len(world.offers), len(world.segments)))
    while not life.panel.done:
        served = np.flatnonzero(life.day().sent)
        place = world.catalog.offer_of[oracle.action[served]], life.panel.traits.segment[served]
        np.add.at(sends, place, 1.0)
        np.add.at(gain, place, oracle.gain[served])
    table = {"sends": (sends / sends.sum()).tolist(), "gain": (gain / gain.sum()).tolist()}
    return {"offers": list(world.offers), "segments": list(world.segments), "customers": customers} | table


def document(found: dict[str, dict]) -> str:
    """One table a world: of each offer the share of sends, and the share of the gain by segment."""
    lines = []
    for name, f in found.items():
        sends, gain = np.array(f["sends"]).sum(axis=1), np.array(f["gain"])
        i, j = np.unravel_index(gain.argmax(), gain.shape)
        pair = f"{f['offers'][i]} to {f['segments'][j]} holds {gain.max():.0%} of the gain"
        lines += [
            f"**{name}**: {(sends >= LEAST).sum()} offers are at least {LEAST:.0%} of the sends; {pair}.",
            "",
            "| offer | of the sends | of the gain | " + " | ".join(f["segments"]) + " |",
            "|---" * (3 + len(f["segments"])) + "|",
        ]
        for offer, share, row in zip(f["offers"], sends, gain, strict=True):
            cells = " | ".join(f"{x:.0%}" for x in row)
            lines.append(f"| {offer} | {share:.0%} | {row.sum():.0%} | {cells} |")
        lines.append("")
    return "\n".join(lines)


def picture(found: dict[str, dict], path: Path) -> None:
    """Share of the gain by offer and segment, a panel a world; the share of the sends stands beside each offer."""
    figure = Figure(figsize=(11.0, 3.9 * -(-len(found) // 2)), layout="constrained")
    axes = figure.subplots(-(-len(found) // 2), min(2, len(found)), squeeze=False).ravel()
    for axis, (name, f) in zip(axes, found.items(), strict=False):
        gain, sends = np.array(f["gain"]), np.array(f["sends"]).sum(axis=1)
        axis.imshow(gain, cmap="Blues", vmin=0.0, vmax=MOST, aspect="auto")
        labels = [f"{offer}  {share:.0%}" for offer, share in zip(f["offers"], sends, strict=True)]
        axis.set_yticks(range(len(labels)), labels, fontsize=8)
        axis.set_xticks(range(len(f["segments"])), f["segments"], fontsize=8)
        for (i, j), x in np.ndenumerate(gain):
            if x >= 0.005:
                axis.text(j, i, f"{x:.0%}", ha="center", va="center", fontsize=8, color="w" if x > MOST / 2 else "k")
        axis.set_title(name, fontsize=10)
    figure.suptitle(
        "share of the greedy oracle's gain by segment; beside each offer, its share of the sends", fontsize=10
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and print or write what came out."""
    words = study_words(__doc__, "runs/levers", json=True, workers=1)
    words.add_argument("--worlds", nargs="+", default=WORLDS)
    words.add_argument("--customers", type=int, default=2_000)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--docs", type=Path, help="page whose tables are replaced; the picture goes beside it")
    chosen = words.parse_args(argv)
    answers = run_cells(partial(levers, customers=chosen.customers, seed=chosen.seed), chosen.worlds, chosen.workers)
    found = dict(zip(chosen.worlds, answers, strict=True))
    print(json.dumps(found) if chosen.json else document(found))
    picture(found, chosen.output / "levers.png")
    if chosen.docs:
        write_between(chosen.docs, MARK, document(found))
        picture(found, chosen.docs.parent / f"{chosen.docs.stem}_levers.png")


if __name__ == "__main__":
    run_study(main)

"""How close does a learner by counterfactual rollouts come to the oracles, and does it beat what there is?

Per world: `rollout` is taught, then plays on fresh customers beside nothing sent, business as usual, the best fixed
action (chosen on others), the greedy oracle and, in the worlds named for it, the far-sighted one; the same customers
with the same luck, expected contribution. Shares are ratios of gains over nothing sent, with intervals by the delta
method. Trainings and plays are kept, and a killed training goes on at its last finished round. Writes a table of
docs/results.md between its marks.

    python experiments/rollout.py --docs docs/results.md
    python experiments/rollout.py --worlds coupon_trap --customers 5000 --fresh 1000
"""

import resource
import time
from functools import partial
from pathlib import Path

import numpy as np
from bounds import SIZES, TYPES, Study

import campaignrl as crl
from campaignrl.envs.truth import live, nothing
from campaignrl.envs.truth.oracles import FarSightedOracle, Size, greedy
from campaignrl.policies import FIXED, NOTHING, USUAL, baselines_of, one_blas_thread, paired_gain
from campaignrl.specs import bundled_files
from campaignrl.suites import evaluation_ids, kept, run_cells, run_study, study_words, write_files
from campaignrl.true_value import acting, ratio_value

MARKS = "<!-- rollout -->", "<!-- rollout: end -->"
POLICY = "rollout"  # as it stands in policies/
FAR = ("churn_rescue", "coupon_trap", "no_memory", "tight_budget")  # where looking further is the question
PILOT, FIRST_SEED = 1 << 41, 300  # no setting was chosen on seeds from here on
HEAD = ("world", USUAL, FIXED, "greedy oracle", "far-sighted", "rollout", "over best fixed", "of greedy", "of far")


def taught(name: str, customers: int, seed: int, folder: Path) -> dict:
    """Train, keep the bundle, and say what it took."""
    begun, bundle = time.process_time(), folder / f"{name}-{seed}-{customers}.bundle"
    checkpoint = bundle.with_suffix(".checkpoint")
    policy = crl.train(POLICY, name, customers=customers, seed=seed, checkpoint=checkpoint, resume=True)
    crl.save_policy(policy, bundle, trained_on={"world": name, "report": policy.facts})
    checkpoint.unlink(missing_ok=True)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"seconds": time.process_time() - begun, "megabytes": megabytes, **policy.facts, "bundle": bundle.name}


def far_sighted(name: str, folder: Path):
    """The reduced model's plan, at the prices of what is scarce."""
    study = Study(name, 1.0, 1, folder / "bounds", print)
    return FarSightedOracle(study.world, TYPES, SIZES.get(name, (Size(), Size()))[0], study.shadow_prices())


def played(name: str, bundle: Path, fresh: int, seed: int, folder: Path, far: bool) -> dict:
    """Gains over nothing sent, and what is made of them."""
    world, ids = crl.load_world(name), evaluation_ids(fresh)
    against = baselines_of(world, customers=PILOT + np.arange(2_000), seed=seed)
    ways = {way: acting(policy, world) for way, policy in against.items() if way != NOTHING}
    ways |= {"greedy": greedy, "rollout": acting(str(bundle), world)}
    ways |= {"far": far_sighted(name, folder)} if far else {}
    value = {
        way: live(world, decide, customers=ids, seed=seed, expects=True)["expected"] for way, decide in ways.items()
    }
    idle = live(world, nothing, customers=ids, seed=seed, expects=True)["expected"]
    ours = value["rollout"] - idle
    shares = {way: ratio_value(ours, value[way] - idle)._asdict() for way in ("greedy", "far") if way in value}
    over = {way: paired_gain(value["rollout"], values) for way, values in value.items() if way != "rollout"}
    gains = {way: paired_gain(values, idle) for way, values in value.items()}
    return {"gains": gains, "over": over, "shares": shares, "fixed": against[FIXED].name, "fresh": fresh}


def cell(name: str, customers: int, fresh: int, seed: int, folder: Path, far: tuple) -> tuple[dict, dict]:
    """One world: what the training took and found, and how it plays."""
    with one_blas_thread():
        made = kept(folder / f"{name}-{seed}-{customers}.json", lambda: taught(name, customers, seed, folder))
        play = partial(played, name, folder / made["bundle"], fresh, FIRST_SEED + seed, folder, name in far)
        return made, kept(folder / f"{name}-{seed}-{customers}-{fresh}-{name in far}.json", play)


def document(found: dict[str, tuple[dict, dict]]) -> str:
    """A row a world, then what each training took, and its prices in words."""
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for name, (_, play) in found.items():
        gains, shares = play["gains"], play["shares"]
        cells = [_interval(gains.get(way)) for way in (USUAL, FIXED, "greedy", "far", "rollout")]
        share = [_share(shares.get(way), gains.get(way)) for way in ("greedy", "far")]
        lines.append(f"| {' | '.join([name, *cells, _interval(play['over'][FIXED]), *share])} |")
    lines += ["", "| world | kept | rounds: gain over nothing, held-out slope | prices | customers | CPU s | MB |"]
    lines += ["|---" * 7 + "|"]
    for name, (made, play) in found.items():
        rounds = "; ".join(f"{r['gain']:+.2f}, {r['slope']:.2f}" for r in made["rounds"])
        words = "; ".join(made["prices"]) or "none"
        took = f"{made['seconds']:.0f} | {made['megabytes']}"
        lines.append(f"| {name} | {made['kept']} | {rounds} | {words} | {play['fresh']:,} | {took} |")
    return "\n".join(lines) + "\n"


def _interval(gain) -> str:
    return "-" if gain is None else f"{gain[0]:.2f} [{gain[1]:.2f}, {gain[2]:.2f}]"


def _share(share, gain) -> str:
    """A ratio means nothing where what is divided by is no gain."""
    if share is None or gain[1] <= 0.0:
        return "-"
    return f"{100 * share['value']:.0f} % [{100 * share['ci_low']:.0f}, {100 * share['ci_high']:.0f}]"


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/rollout", workers=1)
    words.add_argument("--worlds", nargs="+", default=sorted(bundled_files("envs")))
    words.add_argument("--customers", type=int, default=40_000, help="of each round of a training")
    words.add_argument("--fresh", type=int, default=20_000, help="customers who are played on")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--far", nargs="*", default=list(FAR), help="worlds with the far-sighted oracle beside")
    words.add_argument("--docs", type=Path, help="page whose table is replaced, such as docs/results.md")
    chosen = words.parse_args(argv)
    how = {"customers": chosen.customers, "fresh": chosen.fresh, "seed": chosen.seed, "far": tuple(chosen.far)}
    work = partial(cell, folder=chosen.output / "parts", **how)
    found = dict(zip(chosen.worlds, run_cells(work, chosen.worlds, chosen.workers), strict=True))
    print(document(found))
    if chosen.docs:
        before, _, rest = chosen.docs.read_text(encoding="utf-8").partition(MARKS[0])
        page = f"{before}{MARKS[0]}\n{document(found)}{MARKS[1]}{rest.partition(MARKS[1])[2]}"
        write_files(chosen.docs.parent, {chosen.docs.name: page})


if __name__ == "__main__":
    run_study(main)

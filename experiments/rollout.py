"""How close does a learner by counterfactual rollouts come to the oracles, and does it beat what there is?

Per world: `rollout` is taught once, then plays on fresh customers beside nothing sent, business as usual, the best
fixed action (chosen on others), the greedy oracle and, in the worlds named for it, the far-sighted one; the same
customers with the same luck, expected contribution. Each of the evaluation seeds brings other customers; intervals are
Student's t over seeds, shares ratios of mean gains over nothing sent. On the customers of the observable ceiling
(docs/bounds.md) it plays as well, with their luck, so that its share of that is of the same customers. What another
training gives: with --training-seeds each world is taught so many times, all of which play the same customers, and
intervals are over trainings. Trainings and plays are kept, and a killed training goes on at its last finished round.
Writes a table of docs/results.md between its marks.

    python experiments/rollout.py --docs docs/results.md
    python experiments/rollout.py --training-seeds 5 --fresh 1000 --docs docs/results.md
    python experiments/rollout.py --worlds coupon_trap --customers 2000 --fresh 500 --seeds 3
"""

import resource
import time
import tomllib
from collections import Counter
from functools import cache, partial
from pathlib import Path

import numpy as np
from bounds import SIZES, TYPES, Study
from scipy import stats

import campaignrl as crl
from campaignrl.envs.truth import live, nothing
from campaignrl.envs.truth.oracles import FarSightedOracle, Size, greedy
from campaignrl.policies import FIXED, NOTHING, USUAL, baselines_of, one_blas_thread
from campaignrl.specs import bundled_files
from campaignrl.suites import evaluation_ids, kept, read_between, run_cells, run_study, study_words, write_between
from campaignrl.true_value import acting

MARK, MARK_TRAININGS = "rollout", "rollout trainings"
POLICY = Path(__file__).parents[1] / "policies" / "rollout.toml"
LARGER = {"customers": 30_000, "players": 8_000, "turns": 3, "starts": 2}  # where campaigns are short and prices decide
SHORT = ("churn_rescue", "coupon_trap", "tight_budget")
FAR = ("churn_rescue", "coupon_trap", "no_memory", "tight_budget")  # where looking further is the question
PILOT, FIRST_SEED = 1 << 41, 300  # no setting was chosen on seeds from here on
HEAD = ("world", USUAL, FIXED, "greedy oracle", "far-sighted", "rollout", "over best fixed", "of greedy", "of far")
HEAD += ("of the observable ceiling",)
HEAD_TRAININGS = ("world", "trainings", "kept", "over nothing", "over best fixed", "of greedy", "of far", "CPU s")
CEILINGS = Path(__file__).parents[1] / "docs" / "bounds.md"
UNDER, UNDER_SEED = np.arange(120_000_000, 120_020_000), 960  # FRESH of observable_ceiling.py, and their luck


def taught(name: str, customers: int | None, seed: int, folder: Path) -> dict:
    """Train, keep the bundle, and say what it took."""
    begun, bundle = time.process_time(), folder / f"{name}-{seed}-{customers or 'own'}.bundle"
    checkpoint = bundle.with_suffix(".checkpoint")
    settings = tomllib.loads(POLICY.read_text(encoding="utf-8")) | (LARGER if name in SHORT else {})
    del settings["about"]
    policy = crl.train(settings, name, customers=customers, seed=seed, checkpoint=checkpoint, resume=True)
    crl.save_policy(policy, bundle, trained_on={"world": name, "report": policy.facts})
    checkpoint.unlink(missing_ok=True)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"seconds": time.process_time() - begun, "megabytes": megabytes, **policy.facts, "bundle": bundle.name}


@cache
def far_sighted(name: str, folder: Path):
    """The reduced model's plan, at the prices of what is scarce."""
    study = Study(name, 1.0, 1, folder / "bounds", print)
    return FarSightedOracle(study.world, TYPES, SIZES.get(name, (Size(), Size()))[0], study.shadow_prices())


@cache
def baselines(name: str):
    """Nothing sent, business as usual, and the best fixed action on other customers."""
    return baselines_of(crl.load_world(name), customers=PILOT + np.arange(2_000), seed=FIRST_SEED)


def beside(name: str, fresh: int, seed: int, folder: Path, far: bool) -> dict[str, float]:
    """Mean value of each way but `rollout` on the customers of one evaluation seed."""
    world, ids = crl.load_world(name), evaluation_ids(fresh)
    ways = {way: acting(policy, world) for way, policy in baselines(name).items() if way != NOTHING}
    ways |= {NOTHING: nothing, "greedy": greedy} | ({"far": far_sighted(name, folder)} if far else {})
    return {way: float(valued(world, decide, ids, seed).mean()) for way, decide in ways.items()}


def of_rollout(name: str, bundle: Path, fresh: int, seed: int) -> float:
    """The same of what was taught."""
    world = crl.load_world(name)
    return float(valued(world, acting(str(bundle), world), evaluation_ids(fresh), seed).mean())


def played(name: str, bundle: Path, fresh: int, seed: int, folder: Path, far: bool) -> dict[str, float]:
    """Mean value of each way on the customers of one evaluation seed."""
    return beside(name, fresh, seed, folder, far) | {"rollout": of_rollout(name, bundle, fresh, seed)}


def under_the_ceiling(name: str, bundle: Path) -> list[float]:
    """Gain on the customers of the observable ceiling, and the half-width of its interval over them."""
    world = crl.load_world(name)
    gain = valued(world, acting(str(bundle), world), UNDER, UNDER_SEED) - valued(world, nothing, UNDER, UNDER_SEED)
    return [float(gain.mean()), float(1.96 * gain.std(ddof=1) / np.sqrt(len(gain)))]


def valued(world, decide, ids, seed: int) -> np.ndarray:
    """(n,) expected contribution of whole campaigns."""
    return live(world, decide, customers=ids, seed=seed, expects=True)["expected"]


def cell(name: str, customers: int | None, fresh: int, seed: int, seeds: int, folder: Path, far: tuple) -> dict:
    """One world: what the training took and found, and how it plays."""
    key = f"{name}-{seed}-{customers or 'own'}"
    with one_blas_thread():
        made = kept(folder / f"{key}.json", lambda: taught(name, customers, seed, folder))
        bundle, plays = folder / made["bundle"], []
        for each in range(FIRST_SEED, FIRST_SEED + seeds):
            play = partial(played, name, bundle, fresh, each, folder, name in far)
            plays.append(kept(folder / f"{key}-{fresh}-{name in far}-{each}.json", play))
        under = kept(folder / f"{key}-under.json", lambda: under_the_ceiling(name, bundle))
    value = {way: np.array([play[way] for play in plays]) for way in plays[0]}
    return {"made": made, "value": value, "under": under, "fresh": fresh * seeds}


def trainings(
    name: str, customers: int | None, fresh: int, seed: int, seeds: int, folder: Path, far: tuple, count: int
) -> dict:
    """One world taught `count` times; of every way the mean value by evaluation seed, (S,), of `rollout` (T, S)."""
    every, made, plays = range(FIRST_SEED, FIRST_SEED + seeds), [], []
    with one_blas_thread():
        for training in range(seed, seed + count):
            key = f"{name}-{training}-{customers or 'own'}"
            made.append(kept(folder / f"{key}.json", partial(taught, name, customers, training, folder)))
            play = partial(of_rollout, name, folder / made[-1]["bundle"], fresh)
            plays.append([kept(folder / f"{key}-{fresh}-alone-{each}.json", partial(play, each)) for each in every])
        play, key = partial(beside, name, fresh, folder=folder, far=name in far), f"{name}-{fresh}-{name in far}"
        found = [kept(folder / f"{key}-beside-{each}.json", partial(play, each)) for each in every]
    value = {way: np.array([one[way] for one in found]) for way in found[0]}
    return {"made": made, "value": value | {"rollout": np.array(plays)}}


def ceilings(page: Path = CEILINGS) -> dict[str, float]:
    """The observable ceiling by world, as it stands in the table of the page."""
    rows = read_between(page, "ceiling").splitlines()
    cells = [[each.strip() for each in row.split("|")[1:-1]] for row in rows if row.startswith("|")]
    return {row[0]: float(row[-1].strip("*").split()[0]) for row in cells[2:]}


def document(found: dict[str, dict]) -> str:
    """A row a world, then what each training took, and its prices in words."""
    lines, ceiling = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"], ceilings()
    for name, one in found.items():
        gains = {way: values - one["value"][NOTHING] for way, values in one["value"].items() if way != NOTHING}
        cells = [_interval(gains.get(way)) for way in (USUAL, FIXED, "greedy", "far", "rollout")]
        over = _interval(gains["rollout"] - gains[FIXED])
        shares = [_share(gains["rollout"], gains.get(way)) for way in ("greedy", "far")]
        lines.append(f"| {' | '.join([name, *cells, over, *shares, _under(one['under'], ceiling.get(name))])} |")
    lines += ["", "| world | kept | rounds: gain over nothing, held-out slope | prices | customers | CPU s | MB |"]
    lines += ["|---" * 7 + "|"]
    for name, one in found.items():
        made = one["made"]
        rounds = "; ".join(f"{r['gain']:+.2f}, {r['slope']:.2f}" for r in made["rounds"])
        words = "; ".join(made["prices"]) or "none"
        took = f"{made['seconds']:.0f} | {made['megabytes']}"
        lines.append(f"| {name} | {made['kept']} | {rounds} | {words} | {one['fresh']:,} | {took} |")
    return "\n".join(lines) + "\n"


def document_trainings(found: dict[str, dict]) -> str:
    """A row a world: the mean over trainings, its interval, the smallest and the largest training."""
    lines = [f"| {' | '.join(HEAD_TRAININGS)} |", "|---" * len(HEAD_TRAININGS) + "|"]
    for name, one in found.items():
        gains = {way: values - one["value"][NOTHING] for way, values in one["value"].items()}
        ours = gains["rollout"].mean(axis=1)  # (T,)
        shares = [_spread_share(ours, gains.get(way)) for way in ("greedy", "far")]
        cells = [_spread(ours), _spread(ours - gains[FIXED].mean(), sign="+"), *shares]
        took = [made["seconds"] for made in one["made"]]
        words = Counter(made["kept"].partition(", start")[0] for made in one["made"])
        how = ", ".join(f"{what} {count}" for what, count in words.most_common())
        lines.append(f"| {name} | {len(ours)} | {how} | {' | '.join(cells)} | {min(took):.0f} to {max(took):.0f} |")
    return "\n".join(lines) + "\n"


def _spread(each: np.ndarray, form: str = "{:.2f}", sign: str = "", unit: str = "") -> str:
    """Mean over trainings with its interval, then the smallest and the largest."""
    form = form.replace(":", f":{sign}")
    mean, low, high, least, most = (form.format(x) for x in (*over_seeds(each), each.min(), each.max()))
    return f"{mean}{unit} [{low}, {high}], {least} to {most}"


def _spread_share(ours: np.ndarray, theirs: np.ndarray | None) -> str:
    """Of an oracle's mean gain on the same customers; its own error is not a training's."""
    if theirs is None or not over_seeds(theirs)[1] > 0.0:
        return "-"
    return _spread(100 * ours / theirs.mean(), "{:.1f}", unit=" %")


def over_seeds(top: np.ndarray, bottom=1.0) -> tuple[float, float, float]:
    """The ratio of two means (S,), linearised, or a mean, with its interval."""
    bottom = np.broadcast_to(np.asarray(bottom, dtype=float), np.shape(top))
    ratio = float(top.mean() / bottom.mean())
    each = (top - ratio * bottom) / bottom.mean()
    half = float(stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else np.nan
    return ratio, ratio - half, ratio + half


def _interval(gain) -> str:
    return "-" if gain is None else "{:.2f} [{:.2f}, {:.2f}]".format(*over_seeds(gain))


def _share(ours, theirs) -> str:
    """A ratio means nothing where what is divided by is no gain."""
    if theirs is None or not over_seeds(theirs)[1] > 0.0:
        return "-"
    return "{:.0f} % [{:.0f}, {:.0f}]".format(*(100 * x for x in over_seeds(ours, theirs)))


def _under(under, ceiling: float | None) -> str:
    """Of the same customers; the interval is of our own gain alone."""
    if ceiling is None:
        return "-"
    gain, half = under
    return f"{100 * gain / ceiling:.0f} % [{100 * (gain - half) / ceiling:.0f}, {100 * (gain + half) / ceiling:.0f}]"


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/rollout", workers=1)
    words.add_argument("--worlds", nargs="+", default=sorted(bundled_files("envs")))
    words.add_argument("--customers", type=int, help="of each round of a training; else its own")
    words.add_argument("--fresh", type=int, default=5_000, help="customers who are played on, of each seed")
    words.add_argument("--seeds", type=int, default=20, help=f"of the evaluation, from {FIRST_SEED} on")
    words.add_argument("--seed", type=int, default=0, help="of the training")
    words.add_argument("--training-seeds", type=int, help="so many trainings, from --seed on: how far apart?")
    words.add_argument("--far", nargs="*", default=list(FAR), help="worlds with the far-sighted oracle beside")
    words.add_argument("--docs", type=Path, help="page whose table is replaced, such as docs/results.md")
    chosen = words.parse_args(argv)
    if chosen.training_seeds is not None and chosen.training_seeds < 2:
        words.error("--training-seeds must be at least 2: one training has no spread")
    how = {name: getattr(chosen, name) for name in ("customers", "fresh", "seed", "seeds")} | {"far": tuple(chosen.far)}
    how["folder"] = chosen.output / "parts"
    many = chosen.training_seeds
    work = partial(trainings, count=many, **how) if many else partial(cell, **how)
    found = dict(zip(chosen.worlds, run_cells(work, chosen.worlds, chosen.workers), strict=True))
    mark, text = (MARK_TRAININGS, document_trainings(found)) if many else (MARK, document(found))
    print(text)
    if chosen.docs:
        write_between(chosen.docs, mark, text)


if __name__ == "__main__":
    run_study(main)

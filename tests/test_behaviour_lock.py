"""What the product writes today: bytes and figures of every verb, which a move or a new name must not change.

Each case calls the command line (or the environments) at a small size and records every file it leaves, and what it
says. On the kind of machine that the record was made on, bytes must be the same; elsewhere a BLAS may round otherwise,
so figures must agree closely there. `pytest tests/test_behaviour_lock.py --refresh-lock` records again, in a
commit of its own that names what changed and why.

What it covers: logs of all worlds by business as usual and at random; every kind of policy, trained, saved, and
deciding for a table of customers; every estimator, reward model, interval and tuning, in memory and streamed, for one
decision and for episodes, and a foreign log; profiles, segments, populations and calibrations; the clock of hours;
environments; twins, oracles and bounds; a benchmark and its comparison; pages and the words of the verbs.
"""

import contextlib
import hashlib
import io
import json
import re
import shutil
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest
import sklearn
from threadpoolctl import threadpool_info

from campaignrl.cli import main as cli
from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.events_export import play_history
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.bounds.upper_bound import upper_bound
from campaignrl.envs.truth.oracles.greedy_oracle import greedy
from campaignrl.envs.truth.twins import twins
from campaignrl.policies.bundle import load_bundle
from campaignrl.specs.world import load_world
from campaignrl.true_value import decision_lift

ROOT = Path(__file__).resolve().parents[1]
RECORD = Path(__file__).parent / "lock" / "behaviour.json"
SMALL = Path(__file__).parent / "worlds" / "small.toml"
EXPERIMENTS = Path(__file__).parents[1] / "experiments"
WORLDS = ("bank", "churn_rescue", "coupon_trap", "ecommerce", "no_memory", "retail", "tight_budget", "travel")
SPECS = {
    **{kind: "" for kind in ("lin_ts", "dr_greedy", "lin_epsilon", "lin_ucb", "reg_cb", "bootstrap_ts", "fitted_q")},
    **{kind: "" for kind in ("cql", "crm", "pessimistic", "uplift", "dr_uplift", "propensity_greedy")},
    **{kind: 'by = "segment"' for kind in ("epsilon_greedy", "ucb1", "gaussian_ts")},
    "beta_ts": 'by = "segment"\nsuccess_above = 0.0',
    "logit_ts": "low = -0.4\nhigh = 0.8",
    "square_cb": "gamma_scale = 100.0",
    "neural_linear": "hidden = [8]\nepochs = 3",
    "budgeted": "spend_per_decision = 0.01",
    "maskable_ppo": "hidden = [8]\ncustomers = 64\nbatch_size = 128",
    "ppo": "hidden = [8]\ncustomers = 64\nbatch_size = 128",
    "recurrent_ppo": "hidden = [8]\nlstm_hidden_size = 4\ncustomers = 64\nbatch_size = 128",
    "dqn": "hidden = [8]\ncustomers = 64",
    "qr_dqn": "hidden = [8]\ncustomers = 64",
    "rollout": "hidden = [8]\nplayers = 100\njudges = 200\nturns = 1\nstarts = 1\nepochs = 2",
}
DEEP = ("maskable_ppo", "ppo", "recurrent_ppo", "dqn", "qr_dqn")
IN_A_WORLD = (*DEEP, "rollout")
NEEDS_TORCH = (*DEEP, "neural_linear")
FITTED_BY_SKLEARN = ("profile", "segments[kmeans]", "segments[gmm]")
CASES = {}


def case(name, *parameters):
    """Register a function of (folder, parameter) as cases of the lock."""

    def add(function):
        for parameter in parameters or (None,):
            CASES[name if parameter is None else f"{name}[{parameter}]"] = (function, parameter)
        return function

    return add


def run(*words):
    """What a call of the command line prints, and how it ends if not well."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    before, sys.argv = sys.argv, ["campaignrl", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = before
    return f"{out.getvalue()}\n-- {code}\n" + (err.getvalue() if code in (2, 3) else "")


# ---- the cases: each leaves files in its folder and returns texts


@case("simulate", *WORLDS)
def simulate(folder, world):
    usual = "rules" if world == "ecommerce" else f"rules_{world}"
    usual = usual if world != "churn_rescue" else "rules_churn_rescue"
    return [
        run("simulate", "-w", world, "-p", policy, "-n", 40, "--seed", 3, "-o", folder / f"{policy}.parquet")
        for policy in ("uniform", usual)
    ]


@case("world", *WORLDS)
def world(folder, name):
    return [run("world", "show", name, "-n", 300, "--json"), run("world", "check", name)]


@case("hours")
def hours(folder, _):
    words = ("-w", "retail", "-p", "rules_retail", "-n", 150, "--seed", 2)
    return [run("simulate", *words, "--events", folder / "events.parquet")]


@case("kind", *SPECS)
def kind(folder, name):
    (folder / "spec.toml").write_text(f'kind = "{name}"\n{SPECS[name]}\n')
    bundle = folder / f"{name}.bundle"
    words = ("-w", SMALL, "--steps", 1500) if name in IN_A_WORLD else ("-l", small_log(folder))
    said = [run("train", folder / "spec.toml", *words, "--seed", 4, "-o", bundle)]
    memory = ("--memory", folder / "memory.bin") if name == "recurrent_ppo" else ()
    for day in ("2026-11-21", "2026-11-22"):
        words = ("-w", SMALL, "--as-of", day, "--seed", 2, *memory, "--decisions", folder / f"decisions_{day}.parquet")
        said.append(run("decide", bundle, customers(folder), *words, "-o", folder / f"sends_{day}.csv"))
    return said


@case("decide", *WORLDS)
def decide(folder, world):
    usual = "rules" if world == "ecommerce" else f"rules_{world}"
    words = ("-w", world, "--as-of", "2026-11-21", "--seed", 2, "--decisions", folder / "all.csv")
    return [run("decide", usual, customers(folder, world), *words, "-o", folder / "sends.csv")]


@case("pretrained")
def pretrained(folder, _):
    words = ("-w", "ecommerce", "--as-of", "2026-11-21", "-o", folder / "sends.csv", "--json")
    return [run("decide", "pretrained/ecommerce", customers(folder, "ecommerce"), *words)]


@case(
    "evaluate",
    "--estimator all",
    "--estimator all --model boosting",
    "--estimator dr,dm --model boosting",
    "--tuning slope",
    "--tuning mse",
    "--interval t",
    "--interval bootstrap",
    "--interval betting",
    "--interval anytime",
    "--against uniform",
    "--mix 0.3 --risk",
    "--reward-range -20,300",
    "--by segment",
    "--logging estimate",
    "--estimator pdis,wpdis,sdr,wdr,fqe,msis --horizon 3",
    "--estimator wdr,fqe --discount 0.9",
    "--estimator fqe --horizon 3 --model contrasts",
    "--estimator pdis,fqe --horizon 2 --interval bootstrap",
    "--stream",
    "--stream --estimator all",
    "--stream --against uniform",
)
def evaluate(folder, words):
    words = words.split()
    if {"--horizon", "--discount"} & set(words):
        return [run("evaluate", daily_log(folder), "-p", quieter(folder), *words, "--json")]
    return [run("evaluate", small_log(folder), "-p", teach("lin_epsilon", folder), *words, "--json")]


@case("report")
def report(folder, _):
    policy = teach("lin_epsilon", folder)
    run("evaluate", small_log(folder), "-p", policy, "--report", folder / "memory.html")
    run("evaluate", small_log(folder), "-p", policy, "--stream", "--report", folder / "stream.html")
    words = ("--estimator", "pdis,wdr", "--horizon", 3, "--report", folder / "episodes.html")
    run("evaluate", daily_log(folder), "-p", quieter(folder), *words)
    return [run("evaluate", small_log(folder), "-p", policy)]


@case("foreign", "stated", "estimated")
def foreign(folder, which):
    chance = np.random.default_rng(1)
    n = 600
    frame = pd.DataFrame(
        {
            "who": [f"c{i % 200}" for i in range(n)],
            "arm": chance.choice(["A", "B", "C"], n, p=[0.5, 0.3, 0.2]),
            "age": chance.integers(18, 80, n),
            "town": chance.choice(["x", "y"], n),
            "bought": chance.integers(0, 2, n),
        }
    )
    frame.to_csv(folder / "foreign.csv", index=False)
    stated = (
        "[propensity.per_action]\nA = 0.5\nB = 0.3\nC = 0.2\n"
        if which == "stated"
        else "[propensity]\nestimate = true\n"
    )
    (folder / "map.toml").write_text(
        f'[customer]\ncolumn = "who"\n[action]\ncolumn = "arm"\n{stated}[reward.bought]\ncolumn = "bought"\n'
        '[contexts]\nnumbers = ["age"]\ncategories = ["town"]\n'
    )
    log, mapping = folder / "foreign.csv", ("--mapping", folder / "map.toml")
    valued = ("evaluate", log, *mapping, "-p", "always:B", "--json")
    said = [run(*valued), run(*valued, "--model", "logistic")]
    return [*said, run("train", "lin_ts", "-l", log, *mapping, "-o", folder / "f.bundle")]


@case("profile")
def profile(folder, _):
    tea = EXPERIMENTS / "first_profile"
    words = ("--tags", tea / "tags.toml", "--as-of", "2026-03-16", "-o", folder / "tea")
    return [run("profile", "build", tea / "shop.toml", *words), run("profile", "show", folder / "tea")]


@case("segments", "kmeans", "gmm", "rfm")
def segments(folder, method):
    export(folder, "ecommerce", 200, send=True)
    words = ("--attributes", folder / "attributes.parquet", "--refreshes", folder / "refreshes.parquet")
    words += ("--tags", "shop", "--world", "ecommerce", "--start", "2026-01-01", "-o", folder / "shop")
    said = [run("profile", "build", "--events", folder / "events.parquet", *words)]
    words = ("--tags", "orders,recency_days,spend") if method != "rfm" else ()
    said.append(run("profile", "segment", folder / "shop", "--method", method, *words, "-o", folder / "segments.json"))
    if method != "rfm":
        said.append(run("profile", "draw", folder / "segments.json", "-n", 500, "-o", folder / "drawn.parquet"))
    return said


@case("calibrate")
def calibrate(folder, _):
    export(folder, "ecommerce", 500, send=False)
    said = [run("calibrate", folder / "events.parquet", "--like", "retail", "-o", folder / "own.toml", "--json")]
    export(folder, "retail", 500, send=True)
    said.append(run("calibrate", folder / "events.parquet", "--scorecard", "-o", folder / "other.toml", "--json"))
    return said


@case("benchmark")
def benchmark(folder, _):
    suite = f'worlds = ["{SMALL}"]\nseeds = 3\ncustomers = 80\n'
    suite += "".join(f'[[policy]]\nuse = "{name}"\n' for name in ("uniform", "none", "lin_ts"))
    suite += '[train]\ncustomers = 100\n[compare]\nbaseline = "uniform"\n'
    (folder / "tiny.toml").write_text(suite)
    results = folder / "results.json"
    run("benchmark", folder / "tiny.toml", "-o", results, "--workers", 1)
    (folder / "results.timings.json").unlink()  # as long as this machine took today
    words = ("--policy-base", "uniform", "--policy-cand", "lin_ts")
    said = [run("compare", results, results), run("compare", results, results, *words, "--json")]
    kept = json.loads(results.read_text())
    results.write_text(json.dumps(timeless(kept)))
    return said


@case("demo")
def demo(folder, _):
    said = run("demo", "--customers", 150, "-o", "demo", "--seed", 3)  # in the folder itself: its state names its files
    campaign = folder / "demo" / "campaign"
    shutil.rmtree(campaign / "ledger")  # whose files have chance in their names; what it decided is in the lists
    (campaign / "morning.html").unlink()  # as long as each station took today
    return [said]


@case("envs", "campaignrl/Lifecycle-v0", "campaignrl/Bandit-v0")
def envs(folder, name):
    many = gym.make_vec(name, num_envs=16, world=str(SMALL))
    observed, facts = many.reset(seed=3)
    columns = {"observation": [observed], "mask": [facts["action_mask"]], "reward": []}
    chance = np.random.default_rng(0)
    for _ in range(20):
        action = (chance.random((16, 1)) * facts["action_mask"].cumsum(axis=1)[:, -1:]).astype(int)[:, 0]
        action = np.array([np.flatnonzero(m)[a] for m, a in zip(facts["action_mask"], action, strict=True)])
        observed, reward, *_, facts = many.step(action)
        for column, value in zip(columns.values(), (observed, facts["action_mask"], reward), strict=True):
            column.append(value)
    many.close()
    for column, values in columns.items():
        np.save(folder / f"{column}.npy", np.array([np.asarray(v) for v in values]), allow_pickle=False)
    return []


@case("truth")
def truth(folder, _):
    world = load_world(SMALL)
    found = twins(world, greedy, customers=60, seed=2)
    np.save(folder / "oracle.npy", found.incremental(), allow_pickle=False)
    bound = upper_bound(world, customers=30, seed=2)
    lift = decision_lift(world, "always:content@push", "none", customers=300, seed=2)
    return [str(bound), str(lift)]


# ---- what the cases share


def small_log(folder):
    """A log of the small world, at random."""
    path = folder / "log.parquet"
    if not path.exists():
        run("simulate", "-w", SMALL, "-p", "uniform", "-n", 150, "--seed", 1, "-o", path)
    return path


def daily_log(folder):
    """The same, with outcomes of one day, which add up over an episode."""
    world, path = folder / "daily.toml", folder / "daily.parquet"
    world.write_text(SMALL.read_text(encoding="utf-8").replace("outcome_days = 3", "outcome_days = 1"))
    run("simulate", "-w", world, "-p", "uniform", "-n", 300, "--seed", 1, "-o", path)
    return path


def quieter(folder):
    """A policy near the logged one, which a log can follow for some steps."""
    (folder / "quieter.toml").write_text('kind = "uniform"\nnone_share = 0.5\n')
    return folder / "quieter.toml"


def export(folder, world, n, send):
    """The tables a shop would have kept of n customers; send: one message in ten of those allowed."""

    def choose(panel):
        allowed = panel.allowed(panel.observe())
        return np.where(allowed[:, 1] & ((panel.ids + panel.day) % 10 == 0) & send, 1, 0)

    play_history(Panel(load_world(world), n, seed=2), choose).write(folder)


def teach(name, folder):
    run("train", name, "-w", SMALL, "-n", 150, "--seed", 9, "-o", folder / "policy.bundle")
    return folder / "policy.bundle"


def customers(folder, world=SMALL):
    """A table of customers after four days of a campaign."""
    panel = Panel(load_world(world), 120, seed=5)
    for day in range(4):
        panel.step(np.where(panel.allowed(panel.observe())[:, 1], 1, 0) * (panel.ids % 4 == day))
    path = folder / "customers.csv"
    customers_frame(panel).to_csv(path, index=False)
    return path


def timeless(value):
    """A benchmark's results without what differs from run to run and from version to version of the code."""
    gone = {
        "seconds",
        "created",
        "machine",
        "code",
        "versions",
        "timings",
        "version",
        "python",
        "started",
        "finished",
        "campaignrl",
    }
    if isinstance(value, dict):
        return {key: timeless(v) for key, v in value.items() if key not in gone}
    return [timeless(v) for v in value] if isinstance(value, list) else value


# ---- recording and comparing


def machine():
    """What bytes may depend on beside the code."""
    blas = sorted({f"{i['internal_api']} {i['version']} {i.get('architecture')}" for i in threadpool_info()})
    python = ".".join(map(str, sys.version_info[:2]))
    return f"python {python} numpy {np.__version__} pandas {pd.__version__} {'; '.join(blas)}"


def digest(content):
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def figures(array):
    """A few sums in which a change of any number shows."""
    values = np.nan_to_num(np.asarray(array, dtype=np.float64).ravel(), nan=-7.0, posinf=1e6, neginf=-1e6)
    weights = np.cos(np.arange(values.size))
    return [float(f"{s:.9g}") for s in (values.sum(), np.abs(values).sum(), values @ weights)]


def of_frame(frame):
    kept = {}
    for name, column in frame.items():
        if column.dtype.kind in "fiub":
            values = column.to_numpy()
            kept[str(name)] = [digest(np.ascontiguousarray(values).tobytes()), figures(values)]
        else:
            text = "\x1f".join(map(str, column))
            kept[str(name)] = [digest(text.encode()), [len(text)]]
    return kept


def of_file(path):
    """What is recorded of a file: a digest and figures of each of its parts."""
    if path.suffix == ".parquet":
        return of_frame(pd.read_parquet(path))
    if path.suffix == ".csv":
        return {"bytes": [digest(path.read_bytes()), []], **of_frame(pd.read_csv(path))}
    if path.suffix == ".npy":
        array = np.load(path, allow_pickle=False)
        return {"array": [digest(array.tobytes()), figures(array)]}
    if path.suffix == ".bundle":
        tensors = load_bundle(path).tensors()
        return {
            "bytes": [digest(path.read_bytes()), []],
            **{n: [digest(a.tobytes()), figures(a)] for n, a in tensors.items()},
        }
    return of_text(path.read_text(encoding="utf-8", errors="replace"))


def of_text(text):
    numbers = [float(x) for x in re.findall(r"(?<![\w.#-])-?\d+\.?\d*(?:e-?\d+)?(?![\w-])", text)]
    return {
        "text": [digest(text.encode()), figures(numbers)],
        "words": [digest(re.sub(r"[-+\d.]+", "", text).encode()), []],
    }


def observe(name, folder):
    """Play a case and record what it says and leaves."""
    function, parameter = CASES[name]
    said = function(folder, parameter)
    left = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    record = {str(path.relative_to(folder)): of_file(path) for path in left if path.suffix not in {".toml", ".png"}}
    for i, text in enumerate(said):
        plain = (
            text.replace(str(folder), "FOLDER").replace(str(SMALL), "SMALL").replace(str(EXPERIMENTS), "EXPERIMENTS")
        )
        record[f"said {i}"] = of_text(re.sub(r"(?m)^done in .*$", "", plain))
    return record


def write(record):
    """The record, a line for each file of a case, so that a difference can be read."""
    lines = [f'{{"machine": {json.dumps(record["machine"])}, "cases": {{']
    cases = sorted(record["cases"].items())
    for i, (name, files) in enumerate(cases):
        parts = [f"  {json.dumps(file)}: {json.dumps(parts, sort_keys=True)}" for file, parts in sorted(files.items())]
        lines.append(f"{json.dumps(name)}: {{\n" + ",\n".join(parts) + ("\n}," if i + 1 < len(cases) else "\n}"))
    RECORD.write_text("\n".join([*lines, "}}"]) + "\n", encoding="utf-8")


def differences(recorded, found, exact):
    """Names of what is not as it was recorded."""
    wrong = [f"{name}: {'gone' if name in recorded else 'new'}" for name in recorded.keys() ^ found.keys()]
    for name in sorted(recorded.keys() & found.keys()):
        before, now = recorded[name], found[name]
        wrong += [f"{name}: {part}: {'gone' if part in before else 'new'}" for part in before.keys() ^ now.keys()]
        for part in sorted(before.keys() & now.keys()):
            (old, old_figures), (new, new_figures) = before[part], now[part]
            if exact and old != new:
                wrong.append(f"{name}: {part}: {old_figures} became {new_figures}")
            elif not exact and old_figures:
                scale = abs(old_figures[1]) if len(old_figures) == 3 else abs(old_figures[0])
                if not np.allclose(old_figures, new_figures, rtol=0, atol=1e-3 * scale + 1e-9):
                    wrong.append(f"{name}: {part}: {old_figures} became about {new_figures}")
    return wrong


# What the demo prints is a block of the README, and segments have tests of their own. Of the others, the longest.
LONG = (
    *("demo", "segments[gmm]", "segments[kmeans]", "segments[rfm]", "report"),
    *(f"simulate[{name}]" for name in WORLDS if name not in ("ecommerce", "tight_budget")),
    *(f"kind[{name}]" for name in ("ppo", "recurrent_ppo", "qr_dqn", "neural_linear", "budgeted")),
    *(name for name in CASES if "boosting" in name),
)


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.slow) if one in LONG else one for one in CASES])
def test_what_is_written_today_is_what_was_recorded(name, request, tmp_path, monkeypatch):
    if any(f"kind[{k}]" == name for k in NEEDS_TORCH):
        pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.chdir(tmp_path)
    found = observe(name, tmp_path)
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {"machine": "", "cases": {}}
    if request.config.getoption("--refresh-lock"):
        record["machine"] = machine()
        record["cases"][name] = found
        write(record)
        return
    exact = record["machine"] == machine()
    if not exact and any(f"kind[{k}]" == name for k in NEEDS_TORCH):
        pytest.skip("a network's training rounds otherwise on this kind of machine")
    pinned = f"scikit-learn=={sklearn.__version__}" in (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    if name in FITTED_BY_SKLEARN and not pinned:
        pytest.skip("other versions of scikit-learn find other clusters and trees")
    wrong = differences(record["cases"][name], found, exact)
    assert not wrong, "\n".join(wrong[:20])


def test_every_case_of_the_record_is_played():
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    assert set(record["cases"]) == set(CASES)


def test_the_lock_notices_a_change():
    before = {"log": of_frame(pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}))}
    for other in ({"x": [2.0, 1.0], "y": ["a", "b"]}, {"x": [1.0, 2.1], "y": ["a", "b"]}, {"x": [1.0, 2.0]}):
        assert differences(before, {"log": of_frame(pd.DataFrame(other))}, exact=False)
    assert differences(before, {"log": of_frame(pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "c"]}))}, exact=True)
    assert not differences(before, before, exact=True)

"""Studies on real logs, end to end: their figures, their pictures, and conclusions that follow from the figures.

Real data sets are not ours to ship: tests that need them skip where they are absent. Logs of the same form are made
here for what no real data set shows: a shop where personalising pays, one where it does not, one too small to tell.
"""

from __future__ import annotations

import importlib.util
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from campaignrl.cli.evaluate import evaluate as evaluate_verb
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.intervals.clustered import Estimate
from campaignrl.tables.log.split import split_by_customer
from campaignrl.tables.logs import read_log

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
MAPPINGS = EXPERIMENTS / "mappings"
PNG = b"\x89PNG\r\n\x1a\n"


def script(name):
    found = importlib.util.spec_from_file_location(f"{name}_study", EXPERIMENTS / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


HILLSTROM, OPEN_BANDIT = script("hillstrom"), script("open_bandit")


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A script as a user runs it, in this process; its output folder is tmp_path / "out"."""

    def call(name, *words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *map(str, words), "-o", "out"])
        code = 0
        try:
            runpy.run_path(str(EXPERIMENTS / f"{name}.py"), run_name="__main__")
        except SystemExit as left:
            code = left.code
        return Answer(code, *capsys.readouterr())

    return call


def run_apart(name, folder, *words):
    """The same as a process of its own."""
    command = [sys.executable, str(EXPERIMENTS / f"{name}.py"), *map(str, words), "-o", "out"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def mail_test(folder, n, effects, seed=0):
    """A table in Hillstrom's form: a third of n customers an arm; effects: visit rate by (arm, bought womens)."""
    chance = np.random.default_rng(seed)
    arm, womens = chance.integers(0, 3, n), chance.integers(0, 2, n)
    frame = pd.DataFrame(
        {
            "recency": chance.integers(1, 13, n),
            "history_segment": "1) $0 - $100",
            "history": chance.gamma(2.0, 100.0, n).round(2),
            "mens": 1 - womens,
            "womens": womens,
            "zip_code": chance.choice(["Urban", "Rural"], n),
            "newbie": chance.integers(0, 2, n),
            "channel": chance.choice(["Web", "Phone"], n),
            "segment": np.array(["No E-Mail", "Mens E-Mail", "Womens E-Mail"])[arm],
            "visit": (chance.random(n) < np.array(effects)[arm, womens]).astype(int),
        }
    )
    frame["conversion"] = frame["spend"] = 0
    path = folder / "mails.csv"
    frame.to_csv(path, index=False)
    return path


NOTHING, MENS_WOMENS, MENS = [0.1, 0.1], [[0.5, 0.1], [0.1, 0.5]], [[0.5, 0.5], [0.2, 0.2]]


@pytest.mark.parametrize(
    ("n", "effects", "said"),
    [
        (12_000, [NOTHING, *MENS_WOMENS], "Personalising pays: "),
        (12_000, [NOTHING, *MENS], "Personalising gains almost nothing here: "),
        (1_200, [NOTHING, [0.16, 0.13], [0.13, 0.15]], "This log cannot tell whether personalising pays: "),
    ],
    ids=["each its own mail", "one mail for all", "too small to tell"],
)
def test_the_sentence_on_personalising_follows_from_the_log(tmp_path, n, effects, said):
    log = read_log(mail_test(tmp_path, n, effects), MAPPINGS / "hillstrom.toml")
    rows, best, finding = HILLSTROM.study(log)
    assert finding.text.startswith(said)
    learned = rows[rows.learned]
    assert learned.policy.tolist() == ["lin_ts", "lin_greedy", "dr_greedy", "dr_greedy_loose"]
    if "pays: " in said and "cannot" not in said:
        # The truth: 0.5 for all against 0.3 for either mail alone.
        assert (learned.lift > 0.1).all()
        assert (learned.lift_ci_low > 0.0).all()
    if "almost nothing" in said:
        assert best == "always:Mens E-Mail"
        assert (learned.lift_ci_high <= finding.margin).all()


def best_mail(log, seed):
    mails = [f"always:{name}" for name in log.catalog.names[1:]]
    return max(mails, key=lambda policy: evaluate(log, policy, seed=seed).estimates["dr"].value)


def test_the_best_single_action_is_chosen_on_the_half_that_is_not_valued(tmp_path):
    log = read_log(mail_test(tmp_path, 900, [NOTHING, [0.3, 0.3], [0.3, 0.3]]), MAPPINGS / "hillstrom.toml")
    disagree = 0
    for seed in range(3):
        own_best = [best_mail(half, seed) for half in split_by_customer(log, 0.5, seed)]
        assert HILLSTROM.study(log, seed)[1] == own_best[0]
        disagree += own_best[0] != own_best[1]
    assert disagree, "both halves always agree here, so this test shows nothing"


def test_a_refused_policy_has_no_lift(tmp_path):
    log = read_log(mail_test(tmp_path, 200, [NOTHING, *MENS]), MAPPINGS / "hillstrom.toml")
    rows, _, finding = HILLSTROM.study(log)
    refused = rows[rows.verdict == "refuse"]
    assert len(refused)
    assert refused.lift.isna().all()
    assert "cannot tell" in finding.text


@pytest.mark.slow
def test_hillstrom_script_writes_its_picture_and_one_json_object(tmp_path, run):
    path = mail_test(tmp_path, 2_000, [NOTHING, *MENS])
    done = run("hillstrom", path, "--reward", "visit", "--seed", 1, "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert told["actions_from"] == "mapping"
    assert told["reward"] == "visits within two weeks"
    assert len(told["policies"]) == 8
    assert (tmp_path / told["picture"]).read_bytes().startswith(PNG)
    assert run("hillstrom", path, "--seed", 1, "--json").out == done.out, "same seed, same answer"
    table = run("hillstrom", path, "--seed", 1).out
    assert told["conclusion"] in table
    assert "dr_greedy_loose" in table


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["nowhere.csv"], 2, "nowhere.csv"),
        (["mails.csv", "--reward", "visits"], 2, "Did you mean 'visit'?"),
        (["mails.csv", "--mapping", MAPPINGS / "obd.toml"], 3, "user-item_affinity_*"),
    ],
)
def test_hillstrom_script_tells_bad_input_and_writes_nothing(tmp_path, run, words, code, text):
    mail_test(tmp_path, 50, [NOTHING, *MENS])
    done = run("hillstrom", *words)
    assert (done.code, done.out) == (code, "")
    assert text in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def shop_logs(folder, clicks, n=4_000, items=True, seed=0):
    """Two logs in the Open Bandit form, three items and slots; bts shows item 2 in four rows of five."""
    chance = np.random.default_rng(seed)
    for policy, shares in (("random", [1 / 3] * 3), ("bts", [0.1, 0.1, 0.8])):
        item = chance.choice(3, n, p=shares)
        frame = pd.DataFrame(
            {
                "timestamp": "2019-11-24 00:00:00+00:00",
                "item_id": item,
                "position": chance.integers(1, 4, n),
                "click": (chance.random(n) < np.array(clicks)[item]).astype(int),
                "propensity_score": np.array(shares)[item],
                "user_feature_0": chance.choice(["a", "b"], n),
                **{f"user-item_affinity_{i}": chance.integers(0, 3, n) for i in range(3)},
            }
        )
        (folder / policy / "toys").mkdir(parents=True)
        frame.to_csv(folder / policy / "toys" / "toys.csv.gz")
        if items:
            pd.DataFrame({"item_id": range(3)}).to_csv(folder / policy / "toys" / "item_context.csv", index=False)
    return folder


@pytest.mark.parametrize(
    ("clicks", "said"),
    [
        ([0.1, 0.1, 0.3], "bts is better than uniform, toys by the random log: "),
        ([0.3, 0.3, 0.1], "bts is worse than uniform, toys by the random log: "),
        ([0.2, 0.2, 0.2], "No policy is provably better: all 3 intervals of bts less uniform include 0."),
    ],
)
def test_the_sentence_on_two_policies_follows_from_the_logs(tmp_path, run, clicks, said):
    shop_logs(tmp_path, clicks)
    done = run("open_bandit", tmp_path, "--campaigns", "toys", "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert told["conclusion"].startswith(said)
    assert told["actions_from"] == ["item_context.csv"]
    assert (tmp_path / told["picture"]).read_bytes().startswith(PNG)
    truth = {"uniform": np.mean(clicks), "bts": np.dot(clicks, [0.1, 0.1, 0.8])}
    for row in told["estimates"]:
        assert row["ci_low"] - 0.02 <= truth[row["policy"]] <= row["ci_high"] + 0.02
    for row in told["differences"]:
        assert row["ci_low"] <= truth["bts"] - truth["uniform"] <= row["ci_high"]


def test_open_bandit_says_when_the_items_are_those_seen(tmp_path, run):
    shop_logs(tmp_path, [0.2, 0.2, 0.2], n=600, items=False)
    done = run("open_bandit", tmp_path, "--campaigns", "toys")
    assert done.code == 0
    assert "items from: values seen in the log" in done.out


def test_shares_by_slot_by_hand(tmp_path):
    shop_logs(tmp_path, [0.2, 0.2, 0.2], n=300)
    random, bts = (
        read_log(tmp_path / policy / "toys" / "toys.csv.gz", MAPPINGS / "obd.toml") for policy in ("random", "bts")
    )
    shares = OPEN_BANDIT.shares_by_slot(bts, random)
    slot, shown = bts.context.labels("position"), bts.action
    for row in (0, 7, 299):
        same = slot == random.context.labels("position")[row]
        assert shares[row] == pytest.approx([np.mean(shown[same] == a) for a in range(4)])
    assert (shares[:, 0] == 0.0).all(), "nobody is shown nothing"


def test_a_difference_that_stands_out_alone_is_told_as_one_of_many():
    apart, wide = Estimate(0.2, 0.1, 0.01, 0.4, ""), Estimate(0.2, 0.1, -0.1, 0.5, "")
    said = OPEN_BANDIT.conclusion({"a": wide, "b": wide}, {"a": apart, "b": wide})
    assert said.startswith("No policy is provably better: all 2 intervals of bts less uniform include 0.")
    assert said.endswith("(Alone, a, +0.2 [+0.01, +0.4] would leave 0 out; 2 were looked at.)")
    said = OPEN_BANDIT.conclusion({"a": wide, "b": OPEN_BANDIT.REFUSED}, {"a": wide, "b": OPEN_BANDIT.REFUSED})
    assert said == "No policy is provably better: all 1 intervals of bts less uniform include 0. 1 more are refused."


@pytest.mark.parametrize(
    ("policy", "value", "error", "own_mean"),
    [
        ("always:Mens E-Mail", 0.1849, 0.0040, 0.18463),
        ("always:Womens E-Mail", 0.1567, 0.0037, 0.15523),
        ("none", 0.1058, 0.0031, 0.10688),
    ],
)
def test_evaluate_verb_on_hillstrom(shared_data, policy, value, error, own_mean):
    verb = typer.Typer()
    verb.command()(evaluate_verb)
    log, mapping = shared_data / "hillstrom" / "hillstrom_half.csv.gz", MAPPINGS / "hillstrom.toml"
    done = CliRunner().invoke(verb, [str(log), "--mapping", str(mapping), "--policy", policy, "--json"])
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    ips = told["estimates"]["ips"]
    assert ips["value"] == pytest.approx(value, abs=5.1e-5)
    assert ips["std_error"] == pytest.approx(error, abs=5.1e-5)
    for name in ("ips", "ips_clip", "snips", "dr", "sndr"):
        assert told["estimates"][name]["ci_low"] <= own_mean <= told["estimates"][name]["ci_high"]
    assert (told["n"], told["verdict"], told["actions_from"]) == (32_000, "trust", "mapping")


RULE = """kind = "rules"
[[rule]]
when = "womens == 1 and mens == 0"
send = ["Womens E-Mail"]
[[rule]]
send = ["Mens E-Mail"]
"""


@pytest.mark.parametrize(
    ("policy", "reward", "value", "error"),
    [
        ("always:Mens E-Mail", "spend", 1.398, 0.175),
        ("always:Womens E-Mail", "spend", 1.261, 0.164),
        ("none", "spend", 0.497, 0.081),
        ("by_purchase.toml", "spend", 1.547, 0.181),
        ("by_purchase.toml", "visit", 0.1866, 0.0040),
    ],
)
def test_hillstrom_reference_figures(shared_data, tmp_path, policy, reward, value, error):
    log = read_log(shared_data / "hillstrom" / "hillstrom_half.csv.gz", MAPPINGS / "hillstrom.toml", reward)
    (tmp_path / "by_purchase.toml").write_text(RULE)
    found = evaluate(log, tmp_path / policy if policy.endswith(".toml") else policy).estimates["ips"]
    digit = 10.0 ** -len(str(value).partition(".")[2])
    assert found.value == pytest.approx(value, abs=0.51 * digit)
    assert found.std_error == pytest.approx(error, abs=0.51 * digit)


def test_hillstrom_study_on_the_real_half(shared_data, tmp_path):
    done = run_apart("hillstrom", tmp_path, shared_data / "hillstrom" / "hillstrom_half.csv.gz", "--json")
    told = json.loads(done.out)
    assert told["best_single"] == "always:Mens E-Mail"
    assert told["conclusion"].startswith("Personalising gains almost nothing here: ")
    rows = {row["policy"]: row for row in told["policies"]}
    for name, own_mean in (("always:Mens E-Mail", 0.18463), ("always:Womens E-Mail", 0.15523), ("none", 0.10688)):
        assert rows[name]["ci_low"] <= own_mean <= rows[name]["ci_high"]
    loose = rows["dr_greedy_loose"]
    assert loose["lift_ci_low"] < 0.0 < loose["lift_ci_high"] < told["almost_nothing"]
    assert all(row["verdict"] == "trust" for row in rows.values())
    assert (tmp_path / told["picture"]).read_bytes().startswith(PNG)


README = {  # IPS, std. error, SNIPS, mean weight, largest weight, effective sample size, own means of random and bts
    "all": (0.00236, 0.00087, 0.00233, 1.011, 277.8, 340, 0.00380, 0.00420),
    "men": (0.00301, 0.00077, 0.00319, 0.943, 178.3, 656, 0.00460, 0.00690),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "campaigns", [["men"], pytest.param(["all", "men"], marks=pytest.mark.slow)], ids=lambda names: "-".join(names)
)
def test_open_bandit_study_on_the_real_samples(shared_data, tmp_path, campaigns):
    done = run_apart("open_bandit", tmp_path, shared_data / "obd", "--campaigns", *campaigns, "--json")
    told = json.loads(done.out)
    rows = {(row["campaign"], row["policy"], row["estimate"].split()[-1]): row for row in told["estimates"]}
    for campaign in campaigns:
        ips, error, snips, mean, largest, ess, random_mean, bts_mean = README[campaign]
        uniform = rows[campaign, "uniform", "IPS"]
        assert uniform["value"] == pytest.approx(ips, abs=5.1e-6)
        assert uniform["std_error"] == pytest.approx(error, abs=5.1e-6)
        assert rows[campaign, "uniform", "SNIPS"]["value"] == pytest.approx(snips, abs=5.1e-6)
        assert uniform["mean_weight"] == pytest.approx(mean, abs=5.1e-4)
        assert uniform["max_weight"] == pytest.approx(largest, abs=0.051)
        assert uniform["ess"] == pytest.approx(ess, abs=0.51)
        assert uniform["verdict"] == "caution"
        for policy, own_mean in (("uniform", random_mean), ("bts", bts_mean)):
            assert rows[campaign, policy, "mean"]["value"] == pytest.approx(own_mean)
            for name in ("IPS", "SNIPS", "DR"):
                assert rows[campaign, policy, name]["ci_low"] <= own_mean <= rows[campaign, policy, name]["ci_high"]
    for row in told["differences"]:
        assert row["ci_low"] < 0.0 < row["ci_high"]
    assert told["conclusion"].startswith(f"No policy is provably better: all {3 * len(campaigns)} intervals")
    assert told["actions_from"] == ["item_context.csv"]


@pytest.mark.parametrize(
    ("clicks", "said"), [([0.02, 0.02, 0.4], "recommended (toys) is better than chance"), ([0.2] * 3, "None of 2")]
)
def test_recommended_items_are_judged_by_the_log_that_taught_nothing(tmp_path, clicks, said):
    shop_logs(tmp_path, clicks)
    study = script("recommended_items")
    study.SHOWN = 1
    taught, judge = (
        read_log(tmp_path / policy / "toys" / "toys.csv.gz", MAPPINGS / "obd.toml") for policy in ("bts", "random")
    )
    rows = pd.DataFrame(study.study(taught, judge)).assign(campaign="toys")
    assert study.conclusion(rows).startswith(said)
    assert rows["shown"].tolist() == ["recommended", "most clicked", "as logged, at random"]
    best = max(clicks)
    assert rows["low"][0] <= best <= rows["high"][0]
    assert study.shows(
        study.fit_recommender(study.interactions_of(study.clicks(taught)), span=1).recommend(["a", "b"], 1), judge
    ).sum(axis=1) == pytest.approx(1.0)

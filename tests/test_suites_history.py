"""The history of a benchmark: kept by commit, a base found by commit, changes found when they come, reasons kept."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from campaignrl.cli import benchmark as commands
from campaignrl.errors import ArtifactError, UsageError
from campaignrl.report.pages import trend_page
from campaignrl.suites.history import (
    Commit,
    accepted,
    add_entry,
    ancestors,
    base_for,
    change_points,
    commit_of,
    entries_of,
)
from campaignrl.suites.results import Results, SuiteFacts, WorldFacts, made_with, read_results
from campaignrl.suites.rows import Row
from campaignrl.suites.suite import Gate, Training

SEEDS = 8
LUCK = np.random.default_rng(1).normal(0.0, 2.0, SEEDS)  # of each seed, the same at every commit


def results_at(level, *, customers=100, noise=None, name="nightly"):
    """One policy worth `level`, on eight seeds with the same luck at every commit."""
    facts = SuiteFacts(
        name=name,
        worlds={"shop": WorldFacts(hash="abc", currency="EUR", horizon=10)},
        policies=["none", "rules"],
        seeds=SEEDS,
        customers=customers,
        train=Training(),
        compare=Gate(margin=0.01),
    )
    worth = {"none": 30.0 + LUCK, "rules": level + LUCK + (0.0 if noise is None else noise)}
    rows = [
        Row(world="shop", policy=policy, seed=seed, value_std=1.0, measures={"contribution": float(value), "roi": None})
        for policy, values in worth.items()
        for seed, value in enumerate(values)
    ]
    return Results(made_with=made_with(), suite=facts, suite_hash=facts.settings_hash, rows=rows)


def commits(n):
    return [Commit(f"{k:040x}"[::-1], f"2026-11-{k + 1:02d}T08:00:00+00:00", f"change {k}") for k in range(n)]


def filled(folder, levels, **changes):
    for commit, level in zip(commits(len(levels)), levels, strict=True):
        add_entry(folder, results_at(level, **changes), commit)
    return entries_of(folder, "nightly")


def test_results_come_back_as_they_were_in_the_order_in_which_they_came(tmp_path):
    found = filled(tmp_path, [40.0, 41.0, 42.0])
    assert [entry.number for entry in found] == [1, 2, 3]
    assert [entry.commit for entry in found] == commits(3)
    assert found[1].results == results_at(41.0)
    assert entries_of(tmp_path, "another") == []


def test_a_commit_measured_again_replaces_its_results_and_keeps_its_place(tmp_path):
    filled(tmp_path, [40.0, 41.0, 42.0])
    add_entry(tmp_path, results_at(50.0), commits(3)[1])
    assert [entry.results.values("shop", "rules")[0] - LUCK[0] for entry in entries_of(tmp_path, "nightly")] == (
        pytest.approx([40.0, 50.0, 42.0])
    )


def test_the_base_is_the_nearest_earlier_commit_that_has_results(tmp_path):
    found, known = filled(tmp_path, [40.0, 41.0, 42.0]), [commit.id for commit in commits(3)]
    assert base_for(tmp_path, "nightly", ["f" * 40, known[1], known[0]]) == found[1]
    assert base_for(tmp_path, "nightly", ["f" * 40]) is None
    assert base_for(tmp_path / "empty", "nightly", known) is None


@pytest.mark.parametrize("name", ["../../up", "a/b", ".hidden", "夏"])
def test_no_name_of_a_suite_leads_out_of_the_folder(tmp_path, name):
    home = tmp_path / "history"
    path = add_entry(home, results_at(40.0, name=name), commits(1)[0])
    assert home in path.resolve().parents
    assert entries_of(home, name)[0].results.suite.name == name


def test_a_damaged_entry_is_told_and_nothing_is_guessed(tmp_path):
    path = add_entry(tmp_path, results_at(40.0), commits(1)[0])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(Exception, match="parquet") as wrong:
        entries_of(tmp_path, "nightly")
    assert wrong.value.exit_code == 3


# ------------------------------------------------------------------ what changed


def test_what_did_not_change_is_no_change_and_a_step_is_one(tmp_path):
    found = filled(tmp_path, [40.0, 40.0, 39.0, 39.0, 39.0])
    (point,) = change_points(found, "shop", "rules")
    assert (point.entry.number, point.since.number) == (3, 1)
    assert point.difference.difference == pytest.approx(-1.0 / (40.0 + LUCK.mean()))
    assert change_points(found, "shop", "none") == []


def test_a_drift_in_steps_too_small_to_see_is_found(tmp_path):
    chance = np.random.default_rng(2)
    for k, commit in enumerate(commits(12)):
        add_entry(tmp_path, results_at(40.0 - 0.2 * k, noise=chance.normal(0.0, 0.3, SEEDS)), commit)
    found = entries_of(tmp_path, "nightly")
    points = change_points(found, "shop", "rules")
    assert 1 <= len(points) <= 4
    assert all(point.difference.difference < 0.0 for point in points)


def test_noise_alone_hardly_ever_changes_anything(tmp_path):
    chance, alarms, quiet = np.random.default_rng(3), 0, filled(tmp_path, [40.0] * 6)
    for _ in range(60):
        history = [e._replace(results=results_at(40.0, noise=chance.normal(0.0, 0.5, SEEDS))) for e in quiet]
        alarms += bool(change_points(history, "shop", "rules"))
    assert alarms <= 8  # 5 % of sixty are 3


def test_other_settings_are_a_new_start_not_a_change(tmp_path):
    filled(tmp_path, [40.0])
    add_entry(tmp_path, results_at(35.0, customers=200), commits(2)[1])
    (point,) = change_points(entries_of(tmp_path, "nightly"), "shop", "rules")
    assert point.difference is None


def test_the_page_shows_each_change_and_escapes_what_others_wrote(tmp_path):
    commit = commits(1)[0]._replace(subject="<script>alert(1)</script>")
    add_entry(tmp_path, results_at(40.0), Commit("a" * 40))
    add_entry(tmp_path, results_at(39.0), commit)
    page = trend_page(entries_of(tmp_path, "nightly"))
    assert "1 change beyond chance" in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "nothing to hold it against" in trend_page(entries_of(tmp_path, "nightly")[:1])


# ------------------------------------------------------------------ with git, from the command line

app = typer.Typer()
app.command()(commands.benchmark)
app.command()(commands.compare)
SUITE = "worlds = ['coupon_trap']\ncustomers = 60\nhorizon = 6\nseeds = 4\n[[policy]]\nuse = '{use}'\nlabel = 'ours'\n"


def git(folder, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    return subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path, monkeypatch):
    home = tmp_path / "work"
    home.mkdir()
    git(home, "init", "-q")
    monkeypatch.chdir(home)
    return home


def commit(folder, use, subject):
    (folder / "nightly.toml").write_text(SUITE.format(use=use))
    git(folder, "add", ".")
    git(folder, "commit", "-q", "--allow-empty", "-m", subject)


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_branch_is_held_against_its_own_base_and_a_loss_may_be_accepted(repository, tmp_path):
    history, results = tmp_path / "history", tmp_path / "r.json"
    commit(repository, "none", "sends nothing")
    first = commit_of()
    assert (first.subject, ancestors(first)) == ("sends nothing", [])
    assert run("benchmark", "nightly.toml", "-o", results, "--history", history).exit_code == 0
    alone = run("compare", results, "--history", history)
    assert (alone.exit_code, "holds no results" in alone.stdout) == (4, True)
    commit(repository, "uniform", "sends at random")
    assert ancestors(commit_of()) == [first.id]
    assert run("benchmark", "nightly.toml", "-o", results, "--history", history).exit_code == 0
    assert "1 change beyond chance" in (history / "nightly.html").read_text(encoding="utf-8")
    red = run("compare", results, "--history", history, "--json")
    assert (red.exit_code, json.loads(red.stdout)["base"]) == (1, f"nightly at {first.short}")
    let = run("compare", results, "--history", history, "--accept", "we want the log")
    assert (let.exit_code, "accepted: we want the log" in let.stdout) == (0, True)
    assert run("compare", results, "--history", history).exit_code == 0
    assert [one.reason for one in accepted(history)] == ["we want the log"]
    again = run("compare", results, "--history", history, "--accept", "once more")
    assert (again.exit_code, "Nothing was accepted" in again.stdout) == (0, True)
    assert len(accepted(history)) == 1
    commit(repository, "uniform", "another commit")
    assert run("compare", results, "--history", history).exit_code == 0  # the base is the accepted commit now
    assert run("benchmark", "nightly.toml", "--history", history, "--commit", first.id).exit_code == 0
    assert read_results(results).suite.name == "nightly"


def test_results_of_files_that_are_not_committed_say_so_wherever_they_are_shown(repository, tmp_path):
    history, results = Path("kept"), tmp_path / "r.json"
    commit(repository, "none", "sends nothing")
    (repository / "nightly.toml").write_text(SUITE.format(use="uniform"))
    assert run("benchmark", "nightly.toml", "-o", results, "--history", history).exit_code == 0
    (entry,) = entries_of(history, "nightly")
    assert (entry.commit.subject, entry.commit.changed) == ("sends nothing", True)
    assert "with changes that are not committed" in (history / "nightly.html").read_text(encoding="utf-8")
    commit(repository, "uniform", "sends at random, and keeps its history here")
    shown = run("compare", results, "--history", history)
    assert f"The base is {entry.commit.short} sends nothing (with changes that are not committed)." in shown.stdout
    assert run("benchmark", "nightly.toml", "-o", results, "--history", history).exit_code == 0
    assert not commit_of(besides=history).changed  # the history's own page is no change of what is measured
    assert commit_of().changed
    assert commit_of(besides=tmp_path / "elsewhere").changed  # a folder outside hides nothing


def test_words_of_a_history_that_would_be_ignored_are_told():
    for words in (("--history", "h"), ("--commit", "abc"), ("--accept", "why")):
        wrong = run("compare", "a.json", "b.json", *words).exception
        assert isinstance(wrong, UsageError)
        assert f"{words[0]} needs --history DIR and one file" in str(wrong)
    assert isinstance(run("benchmark", "smoke", "--commit", "abc").exception, UsageError)


def test_without_git_a_commit_must_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="--commit"):
        commit_of()
    assert commit_of("release7") == Commit("release7")
    with pytest.raises(UsageError, match="knows no commit"):
        commit_of("--output=x")
    assert isinstance(run("compare", "a.json", "b.json", "--accept", "why").exception, UsageError)


def test_a_damaged_list_of_reasons_is_told(tmp_path):
    (tmp_path / "accepted.json").write_text('[{"suite": 1}]')
    with pytest.raises(ArtifactError, match=r"accepted\.json"):
        accepted(tmp_path)

"""The workflow of docs/policy-gate.yml: its own steps are run, with git's and GitHub's parts stood in for.

Not here: what compare says of which results (test_suites_compare.py).
"""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from campaignrl.suites import benchmark

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = yaml.safe_load((ROOT / "docs" / "policy-gate.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in WORKFLOW["jobs"]["gate"]["steps"] if "name" in step}
SUITE = """
worlds = ["{world}"]
seeds = {seeds}
customers = {customers}
horizon = {horizon}

[[policy]]
use = "{use}"
label = "ours"

[compare]
margin = 0.01
"""
# Answers as `gh` does: one page of comments from a file, and writes what it was asked to do.
GH = """#!{python}
import json, sys
from pathlib import Path
here, words = Path({folder!r}), sys.argv[2:]
known = json.loads((here / "comments.json").read_text())
method = words[words.index("-X") + 1] if "-X" in words else "GET"
if method == "GET":
    print(*[c["id"] for c in known if c["body"].startswith("<!-- policy gate -->")], sep="\\n")
else:
    body = Path(next(w for w in words if w.startswith("body=@")).removeprefix("body=@")).read_text()
    path = next(w for w in words if w.startswith("repos/"))
    if method == "POST":
        known.append({{"id": len(known) + 7, "body": body}})
    else:
        next(c for c in known if str(c["id"]) == path.rsplit("/", 1)[1])["body"] = body
    (here / "comments.json").write_text(json.dumps(known))
"""


def environment(folder):
    own = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    own |= {"GITHUB_REPOSITORY": "a/b", "PULL_REQUEST": "5", "SUITE": "suite.toml"}
    return {**os.environ, **own, "PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"}


def step(name, folder):
    """Run a step's own text, as GitHub does: bash that stops at an error."""
    text = STEPS[name]["run"]
    if name == "Pass or fail":
        code = (folder / "output").read_text().strip().rpartition("=")[2]
        text = text.replace("${{ steps.compare.outputs.code }}", code)
    words = ["bash", "-e", "-c", text]
    return subprocess.run(words, cwd=folder, env=environment(folder), capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bin").mkdir()
    gh = tmp_path / "bin" / "gh"
    gh.write_text(GH.format(python=sys.executable, folder=str(tmp_path)), encoding="utf-8")
    gh.chmod(gh.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "comments.json").write_text(json.dumps([{"id": 1, "body": "Nice."}]))
    return tmp_path


pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Results of the main branch, by the workflow's own step, and of branches."""
    place, found = tmp_path_factory.mktemp("played"), {}
    cases = {
        "main": {"use": "none", "world": "coupon_trap", "seeds": 3, "customers": 300, "horizon": 60},
        "equal": {"use": "none", "world": "coupon_trap", "seeds": 3, "customers": 300, "horizon": 60},
        "worse": {"use": "always:coupon20@email", "world": "coupon_trap", "seeds": 3, "customers": 300, "horizon": 60},
        "elsewhere": {"use": "none", "world": "no_memory", "seeds": 3, "customers": 300, "horizon": 60},
        "few main": {"use": "none", "world": "no_memory", "seeds": 2, "customers": 20, "horizon": 10},
        "few": {"use": "uniform", "world": "no_memory", "seeds": 2, "customers": 20, "horizon": 10},
    }
    for name, settings in cases.items():
        where = place / name.replace(" ", "_")
        where.mkdir()
        (where / "suite.toml").write_text(SUITE.format(**settings), encoding="utf-8")
        found[name] = where / "candidate.json"
        if name == "main":
            done = step("Play the branch", where)
            assert done.returncode == 0, done.stderr
        else:  # the same verb, without starting Python once more
            benchmark(where / "suite.toml", out=found[name])
    return found


CASES = [
    ("main", "equal", 0, "equal"),
    ("main", "worse", 1, "REGRESSION"),
    pytest.param("few main", "few", 0, "inconclusive", marks=pytest.mark.slow),
    pytest.param("main", "elsewhere", 4, "", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("base", "branch", "code", "word"), CASES, ids=["equal", "worse", "few", "elsewhere"])
def test_the_steps_answer(base, branch, code, word, played, folder):
    shutil.copy(played[base], folder / "main.json")
    shutil.copy(played[branch], folder / "candidate.json")
    assert step("Compare", folder).returncode == 0  # the comment is to be written whatever it said
    assert word.lower() in (folder / "gate.md").read_text(encoding="utf-8").lower()
    assert step("Pass or fail", folder).returncode == code
    assert (folder / "summary").read_text(encoding="utf-8")
    if code != 4:
        assert "<testsuite" in (folder / "gate.xml").read_text(encoding="utf-8")


def test_a_base_that_is_missing_is_no_pass(played, folder):
    shutil.copy(played["main"], folder / "candidate.json")
    step("Compare", folder)
    assert step("Pass or fail", folder).returncode == 4
    assert "No comparison" in (folder / "gate.md").read_text(encoding="utf-8")


def test_a_base_that_is_cut_off_is_no_pass(played, folder):
    shutil.copy(played["main"], folder / "candidate.json")
    (folder / "main.json").write_bytes(played["main"].read_bytes()[:200])
    step("Compare", folder)
    assert step("Pass or fail", folder).returncode in (3, 4)


def test_one_comment_is_kept_and_edited_in_place(folder):
    for words in ("first", "second"):
        (folder / "gate.md").write_text(words, encoding="utf-8")
        done = step("Comment", folder)
        assert done.returncode == 0, done.stderr
    bodies = [comment["body"] for comment in json.loads((folder / "comments.json").read_text())]
    assert bodies[0] == "Nice."
    assert [body.split("\n")[1] for body in bodies[1:]] == ["second"]


def repository(place, files):
    """A repository whose main branch holds these files."""
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    say = ["git", "-C", str(place), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["commit", "-qm", "a"],
        ["update-ref", "refs/remotes/origin/main", "HEAD"],
    ):
        subprocess.run([*say, *words], check=True)
    return place


@pytest.mark.slow
def test_a_pull_request_that_brings_the_suite_is_told_that_there_is_no_base(folder, monkeypatch, played):
    monkeypatch.setenv("PACKAGE", "campaignrl.whl")
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    shop = repository(folder / "shop", {"README": "nothing yet"})
    (shop / "suite.toml").write_text("of the branch", encoding="utf-8")
    shutil.copy(played["main"], shop / "candidate.json")
    done = step("Play main", shop)
    assert (done.returncode, "main has no suite.toml yet" in done.stdout) == (0, True)
    assert step("Compare", shop).returncode == 0
    assert step("Pass or fail", shop).returncode == 4
    assert "No comparison: the base" in (shop / "gate.md").read_text(encoding="utf-8")


def test_where_nothing_could_be_played_the_comment_says_so(folder):
    assert step("Comment", folder).returncode == 0
    assert "could not be played" in json.loads((folder / "comments.json").read_text())[-1]["body"]


def test_in_a_repository_of_policies_alone_main_is_played_by_the_same_package(folder, monkeypatch):
    monkeypatch.setenv("PACKAGE", "campaignrl.whl")
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    settings = {"use": "none", "world": "coupon_trap", "seeds": 2, "customers": 20, "horizon": 10}
    shop = repository(folder / "shop", {"suite.toml": SUITE.format(**settings)})
    (shop / "suite.toml").write_text(SUITE.format(**{**settings, "seeds": 3}), encoding="utf-8")
    done = step("Play main", shop)
    assert done.returncode == 0, done.stderr
    assert len(json.loads((shop / "main.json").read_text())["rows"]) == 2 * 2, "main's file, not the branch's"


def test_the_workflow_asks_for_no_more_than_it_needs():
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert set(STEPS) == {
        *(
            "Install the branch",
            "Play the branch",
            "Play main",
            "Compare",
            "Comment",
            "Keep the results",
            "Pass or fail",
        ),
    }

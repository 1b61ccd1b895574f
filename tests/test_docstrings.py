"""Every public name says what it does, takes, gives and raises, and its example runs."""

import doctest
import inspect

import pytest

import campaignrl
from campaignrl.errors import CampaignError

NAMES = [name for name in campaignrl.__all__ if not name.endswith("Error")]
NAMES = [name for name in NAMES if name not in ("MissingExtra", "UnknownName")]
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(campaignrl, name))]
NOUNS = [name for name in NAMES if name not in FUNCTIONS]
SECTIONS = ("Args", "Attributes", "Returns", "Raises", "Source", "Example")


def sections(name):
    """Section -> its lines, of a docstring; the summary is the first line."""
    text = inspect.getdoc(getattr(campaignrl, name))
    found, here = {}, "summary"
    for line in text.splitlines():
        if line.endswith(":") and line[:-1] in SECTIONS:
            here = line[:-1]
        found.setdefault(here, []).append(line)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_summary_is_one_line(name):
    summary = sections(name)["summary"]
    assert summary[0].endswith((".", "?"))
    assert len(summary) == 1 or not summary[1]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_verb_says_what_it_takes_gives_and_raises(name):
    said = sections(name)
    needed = {"Args", "Raises", "Example"} | ({"Returns"} if name != "register_policy" else set())
    assert needed <= said.keys()
    taken = {word.strip() for line in said["Args"] if ":" in line for word in line.split(":")[0].split(",")}
    missing = [
        argument for argument in inspect.signature(getattr(campaignrl, name)).parameters if argument not in taken
    ]
    assert not missing, f"{name} does not say what {missing} are"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_verb_takes_at_most_four_arguments_by_place(name):
    kinds = [p.kind for p in inspect.signature(getattr(campaignrl, name)).parameters.values()]
    assert sum(kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for kind in kinds) <= 4


@pytest.mark.parametrize("name", NOUNS)
def test_a_noun_says_what_it_holds(name):
    assert {"Attributes", "Example"} <= sections(name).keys()


@pytest.mark.parametrize("name", NAMES)
def test_the_example_runs(name, tmp_path, monkeypatch):
    if name == "sb3_env":
        pytest.importorskip("stable_baselines3", reason="needs the extra `rl`")
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    noun = getattr(campaignrl, name)
    examples = [test for test in doctest.DocTestFinder(recurse=False).find(noun, name, globs={}) if test.examples]
    assert examples, f"{name} has no example"
    shown = []
    for test in examples:
        runner.run(test, out=shown.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(shown)


def test_every_error_says_what_went_wrong():
    errors = [getattr(campaignrl, name) for name in campaignrl.__all__ if name not in NAMES]
    assert all(issubclass(error, CampaignError) and error.__doc__ for error in errors)

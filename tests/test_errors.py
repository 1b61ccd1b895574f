"""Errors: one form of message, every finding at once, an exit code for the command line."""

import pytest

from campaignrl.errors import (
    SHOWN,
    ArtifactError,
    CampaignError,
    DataError,
    MissingExtra,
    Problem,
    SpecError,
    SupportError,
    UnknownName,
    UsageError,
    nearest,
    unknown,
)


@pytest.mark.parametrize(
    ("kind", "exit_code", "also"),
    [
        (SpecError, 3, ValueError),
        (DataError, 3, ValueError),
        (ArtifactError, 3, CampaignError),
        (UnknownName, 2, LookupError),
        (UsageError, 2, ValueError),
        (SupportError, 4, ValueError),
        (MissingExtra, 2, ImportError),
    ],
)
def test_every_error_has_its_exit_code_and_can_be_caught_as_the_built_in_kind(kind, exit_code, also):
    wrong = kind(Problem("world.toml", "share", 2, "at most 1", "Lower it."))
    assert isinstance(wrong, CampaignError)
    assert isinstance(wrong, also)
    assert wrong.exit_code == exit_code
    assert str(wrong) == "world.toml: share = 2 is not at most 1. Lower it."


def test_a_problem_without_a_fix_ends_with_the_full_stop():
    assert str(Problem("row 3", "propensity", 0.0, "in (0, 1]")) == "row 3: propensity = 0.0 is not in (0, 1]."


def test_all_problems_are_kept_and_the_first_twenty_are_shown():
    problems = [Problem(f"row {i}", "reward", "x", "a number") for i in range(SHOWN + 5)]
    wrong = DataError(iter(problems))
    assert wrong.problems == tuple(problems)
    lines = str(wrong).splitlines()
    assert len(lines) == SHOWN + 1
    assert lines[-1] == "... and 5 more problems"


def test_exactly_twenty_problems_need_no_last_line():
    assert len(str(DataError([Problem("r", "f", 0, "x")] * SHOWN)).splitlines()) == SHOWN


def test_a_sentence_is_an_error_too():
    wrong = UsageError("call reset() first")
    assert str(wrong) == "call reset() first"
    assert wrong.problems == ()


@pytest.mark.parametrize("value", ["a\nb", "\x1b[31mred", "x" * 10_000, {"k": "v" * 10_000}])
def test_a_value_stays_on_one_line_of_bearable_length_and_cannot_colour_the_terminal(value):
    text = str(Problem("row 1", "name", value, "a name"))
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    assert len(text) < 200


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("price_sensitiv", "Did you mean 'price_sensitive'?"),
        ("PRICE_SENSITIVE", "Did you mean 'price_sensitive'?"),
        (" loyal ", "Did you mean 'loyal'?"),
        ("顾客", ""),
        ("", ""),
    ],
)
def test_the_nearest_name_is_offered_whatever_its_case(name, hint):
    assert nearest(name, ["price_sensitive", "loyal", "leisure"]) == hint


def test_a_name_that_differs_in_case_alone_is_nearer_than_any_other():
    assert nearest("consent_sms", ["consent_push", "consent_SMS "]) == "Did you mean 'consent_SMS '?"


def test_an_unknown_name_tells_the_nearest_and_all_the_known_ones():
    text = str(unknown("world", "ecomerce", ["ecommerce", "bank"], "Or give a path."))
    assert text == "no world named 'ecomerce'. Did you mean 'ecommerce'? Known: bank, ecommerce. Or give a path."


def test_an_unknown_name_among_many_lists_only_some():
    text = str(unknown("policy", "zzz", [f"policy{i:03d}" for i in range(90)]))
    assert text.count("policy0") == SHOWN
    assert text.endswith("....")


def test_an_unknown_name_where_nothing_is_known():
    assert str(unknown("world", "x", [])) == "no world named 'x'."

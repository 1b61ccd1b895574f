"""Searching profiles: three-valued answers against brute force, mistakes that show their place, cohorts, the verb."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.cli import main as cli
from campaignrl.errors import ArtifactError, UnknownName, UsageError
from campaignrl.profiles.table import cohorts, keep_cohort, read_profiles_file, search, tag_tree, who, write_profiles
from campaignrl.profiles.table.summary import summarise_tags

FACTS = {
    "tags": {
        "stage": {"level": "lifecycle", "levels": ["new", "active", "loyal", "dormant"], "title": "lifecycle stage"},
        "spend": {"level": "value", "title": "spend", "unit": "currency"},
    }
}


def table():
    return pd.DataFrame(
        {
            "customer_id": ["a", "b", "c", "d"],
            "stage": ["loyal", "new", None, "loyal"],
            "spend": [700.0, 900.0, 800.0, np.nan],
            "share": np.array([0.2, 0.5, 0.1, np.nan], dtype=np.float32),
            "vip": pd.array([True, False, None, True], dtype="boolean"),
            "city": ["Paris", "", "O'Hara", "北京"],
            "joined": pd.to_datetime(["2026-01-01 00:00", "2026-02-01 12:00", None, "2025-12-31 00:00"]),
            "first_order": ["2026-01-05", "2025-11-30", None, "2026-03-01"],
            "days since sign-up": [1, 2, 3, 4],
        }
    )


BY_HAND = {
    "stage == 'loyal' and spend > 500": ("a", "cd"),
    "stage == 'loyal'": ("ad", "c"),
    "not stage == 'loyal'": ("b", "c"),
    "stage != 'loyal'": ("b", "c"),
    "stage is unknown": ("c", ""),
    "stage is not unknown": ("abd", ""),
    "city is unknown": ("b", ""),
    "stage == 'loyal' or spend > 750": ("abcd", ""),
    "spend > 750 and stage == 'new'": ("b", "c"),
    "not (spend > 750 and stage == 'new')": ("ad", "c"),
    "share == 0.2": ("a", "d"),
    "700 <= spend < 900": ("ac", "d"),
    "800 < spend": ("b", "d"),
    "vip": ("ad", "c"),
    "not vip": ("b", "c"),
    "vip == no": ("b", "c"),
    "stage in ['new', 'loyal']": ("abd", "c"),
    "stage not in ('new',)": ("ad", "c"),
    'city == "O\'Hara"': ("c", "b"),
    "city = '北京'": ("d", "b"),
    "joined >= '2026-01-01'": ("ab", "c"),
    "joined < '2026-02-01T12:00:01'": ("abd", "c"),
    "first_order >= '2026-01-01'": ("ad", "c"),
    "`days since sign-up` >= 3 AND NOT spend IS UNKNOWN": ("c", ""),
    "spend > `days since sign-up`": ("abc", "d"),
    "spend == 1e3": ("", "d"),
    "spend > -.5": ("abc", "d"),
}


@pytest.mark.parametrize("text", BY_HAND)
def test_by_hand(text):
    found = search(table(), text, FACTS)
    yes, unknown = BY_HAND[text]
    ids = table().customer_id.to_numpy()
    assert ("".join(ids[found.yes]), "".join(ids[found.unknown])) == (yes, unknown)
    assert found.customers == len(yes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stag == 'new'", "Did you mean 'stage'?"),
        ("stage == 'loyl'", "Did you mean 'loyal'?"),
        ("stage == loyal", "A text stands in quotes: 'loyal'"),
        ("stage > 'loyal'", "compared by == !="),
        ("spend > '5'", "a number"),
        ("spend", "which can stand alone"),
        ("spend == yes", "a number"),
        ("vip == 3 and joined > 'soon'", "'2026-01-31'"),
        ("stage == unknown", "is unknown"),
        ("stage is 'new'", "Write == to compare"),
        ("(spend > 5", "closing bracket"),
        ("spend > 5)", "or the end"),
        ("spend > 5 && vip", "Write `and`"),
        ("spend >", "(the end)"),
        ("", "(the end)"),
        ("5 > 3", "a tag, on one side"),
        ("stage in 'new'", "a list"),
        ("stage == 'new", "closing quote"),
        ("__import__('os').system('true')", ".system("),
        ("spend + 1 > 2", "a tag, a number"),
        ("stage == spend", "compared with a text"),
        ("not " * 60 + "vip", "within each other"),
        ("(" * 60 + "vip" + ")" * 60, "within each other"),
        ("vip or " * 1000 + "vip", "characters"),
    ],
)
def test_a_mistake_is_one_error_that_says_the_way_out(text, says):
    with pytest.raises(UsageError) as wrong:
        search(table(), text, FACTS)
    assert says in str(wrong.value)


def test_a_mistake_is_marked_at_its_place():
    with pytest.raises(UsageError) as wrong:
        search(table(), "spend > 5 and stag == 'new'", FACTS)
    _, text, mark = str(wrong.value).split("\n")
    assert text[mark.index("^") :].startswith("stag ==")


def test_a_text_that_nobody_has_is_told_where_any_text_may_be():
    found = search(table(), "city == 'Pariss'", FACTS)
    assert found.customers == 0
    assert "'Paris'" in found.notes[0]
    nobody = search(table(), "stage == 'dormant'", FACTS)  # a level of the tag, of nobody today
    assert (nobody.customers, len(nobody.notes)) == (0, 1)


def kleene(node, row):
    """Brute force: True, False or None of one customer."""
    kind, *rest = node
    if kind == "is":
        return row[rest[0]] is None
    if kind == "cmp":
        name, sign, value = rest
        if row[name] is None:
            return None
        return {"<": row[name] < value, ">=": row[name] >= value, "==": row[name] == value, "!=": row[name] != value}[
            sign
        ]
    if kind == "not":
        inner = kleene(rest[0], row)
        return None if inner is None else not inner
    answers = [kleene(part, row) for part in rest]
    decided = kind == "or"
    if decided in answers:
        return decided
    return None if None in answers else not decided


def written(node):
    kind, *rest = node
    if kind == "is":
        return f"{rest[0]} is unknown"
    if kind == "cmp":
        return f"{rest[0]} {rest[1]} {rest[2]}"
    if kind == "not":
        return f"not ({written(rest[0])})"
    return f" {kind} ".join(f"({written(part)})" for part in rest)


leaves = st.tuples(st.just("cmp"), st.sampled_from("xyz"), st.sampled_from(["<", ">=", "==", "!="]), st.integers(0, 3))
leaves |= st.tuples(st.just("is"), st.sampled_from("xyz"))
trees = st.recursive(
    leaves,
    lambda inner: st.tuples(st.just("not"), inner) | st.tuples(st.sampled_from(["and", "or"]), inner, inner, inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(tree=trees, rows=st.lists(st.tuples(*[st.none() | st.integers(0, 3)] * 3), min_size=1, max_size=12))
def test_every_search_answers_as_brute_force(tree, rows):
    frame = pd.DataFrame(rows, columns=list("xyz"), dtype="float64").assign(
        customer_id=[str(i) for i in range(len(rows))]
    )
    found = search(frame, written(tree))
    told = [kleene(tree, dict(zip("xyz", row, strict=True))) for row in rows]
    assert found.yes.tolist() == [answer is True for answer in told]
    assert found.unknown.tolist() == [answer is None for answer in told]


def test_a_cohort_is_asked_anew_each_time(tmp_path):
    write_profiles(table(), FACTS, tmp_path / "profiles.parquet")
    keep_cohort(tmp_path, "rich", "spend > 750")
    keep_cohort(tmp_path, '引号 "x"', "city == '北京'")
    keep_cohort(tmp_path, "rich", "spend > 850")
    assert [one.name for one in cohorts(tmp_path)] == ["rich", '引号 "x"']
    frame, facts = read_profiles_file(tmp_path)
    assert who(frame, "rich", tmp_path, facts).customers == 1
    assert who(frame.assign(spend=1000.0), "rich", tmp_path, facts).customers == 4
    assert who(frame, '引号 "x"', tmp_path, facts).customers == 1
    with pytest.raises(UnknownName, match="'rich'"):
        who(frame, "ritch", tmp_path, facts)
    (tmp_path / "cohorts.toml").write_text("cohorts = 3")
    with pytest.raises(ArtifactError):
        cohorts(tmp_path)


def test_tags_by_level_in_the_order_of_the_field():
    tree = tag_tree(summarise_tags(table(), FACTS))
    assert list(tree) == ["value", "lifecycle", "other"]
    assert [tag.name for tag in tree["value"]] == ["spend"]


@pytest.fixture
def show(monkeypatch, capsys, tmp_path):
    write_profiles(table(), FACTS, tmp_path / "profiles.parquet")

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["campaignrl", "profile", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_the_verb_counts_exports_and_keeps(show, tmp_path):
    assert show("show", tmp_path, "--where", "stage == 'loyal'", "--count")[:2] == (0, "2\n")
    counted = json.loads(show("show", tmp_path, "--where", "stage == 'loyal'", "--count", "--json")[1])
    assert counted == {"customers": 2, "of": 4, "unknown": 1}
    file = tmp_path / "loyal.parquet"
    code, out, _ = show("show", tmp_path, "--where", "stage == 'loyal'", "--export", file, "--save", "fans")
    assert code == 0
    assert "2 of 4 customers; unknown of 1" in out
    back, facts = read_profiles_file(file)
    assert back.customer_id.tolist() == ["a", "d"]
    assert (facts["customers"], facts["tags"]) == (2, FACTS["tags"])
    code, out, _ = show("cohorts", tmp_path)
    assert "fans" in out
    assert show("show", tmp_path, "--cohort", "fans", "--count")[1] == "2\n"
    csv = tmp_path / "all.csv"
    assert show("show", tmp_path, "--export", csv)[0] == 0
    assert len(pd.read_csv(csv)) == 4
    code, out, _ = show("show", tmp_path, "--tree")
    assert "lifecycle (1)\n  stage: lifecycle stage" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--where", "spend >"), "(the end)"),
        (("--where", "vip", "--cohort", "x"), "not both"),
        (("--save", "x"), "--where too"),
        (("--customer", "a", "--count"), "leave out --count"),
        (("--where", "vip", "--export", "x.xlsx"), ".parquet or .csv"),
        (("--cohort", "x"), "no cohort named 'x'"),
    ],
)
def test_mistakes_of_the_verb_end_in_one_message(show, tmp_path, words, says):
    code, out, err = show("show", tmp_path, *words)
    assert (code, out) == (2, "")
    assert says in err

"""The gate: what is red, what passes, what cannot be compared, and that none of it is silent."""

import json
import xml.etree.ElementTree as Xml

import pytest
import typer
from typer.testing import CliRunner

from campaignrl.cli import benchmark as commands
from campaignrl.errors import ArtifactError, UnknownName, UsageError
from campaignrl.policies.loading import load_policy
from campaignrl.specs.world import load_world
from campaignrl.suites.compare import compare
from campaignrl.suites.comparison import Compared, Comparison
from campaignrl.suites.junit import to_junit
from campaignrl.suites.results import Results, SuiteFacts, WorldFacts, made_with, read_results
from campaignrl.suites.rows import Row
from campaignrl.suites.statistics import EQUAL, IMPROVEMENT, INCONCLUSIVE, NEW, NO_EVIDENCE, REGRESSION
from campaignrl.suites.suite import Gate, Training


def measures(value, none):
    """Of one row: enough to gate on, everything else is not to be had."""
    return {"contribution": value, "gain": value - none, "sends": 1.0, "orders": 1.0, "opt_outs": 40.0 / (value or 1.0)}


BASE = {"none": [30, 33, 31, 32], "rules": [40, 42, 41, 39], "lin_ts": [44, 45, 43, 46]}
app = typer.Typer()
app.command()(commands.benchmark)
app.command()(commands.compare)


def results_of(values, *, world="shop", customers=1000, margin=0.01, none=None, name="suite"):
    """Results with these values by policy, one per seed."""
    none = none or values.get("none", BASE["none"])
    facts = SuiteFacts(
        name=name,
        worlds={world: WorldFacts(hash="abc", currency="EUR", horizon=10)},
        policies=list(dict.fromkeys(["none", *values])),
        seeds=max(len(v) for v in values.values()),
        customers=customers,
        train=Training(),
        compare=Gate(margin=margin),
    )
    rows = [
        Row(world=world, policy=policy, seed=seed, value_std=1.0, measures=measures(value, none[seed]))
        for policy, list_of in {**values, "none": none}.items()
        for seed, value in enumerate(list_of)
    ]
    return Results(made_with=made_with(), suite=facts, suite_hash=facts.settings_hash, rows=rows)


def changed(**policies):
    return results_of({**BASE, **policies})


def only(comparison):
    (row,) = [row for row in comparison.rows if row.policy != "rules"]
    return row


def test_identical_results_pass_with_a_difference_of_exactly_zero():
    found = compare(results_of(BASE), results_of(BASE))
    assert [(row.policy, row.difference, row.verdict) for row in found.rows] == [
        ("rules", 0.0, EQUAL),
        ("lin_ts", 0.0, EQUAL),
    ]
    assert found.exit_code == 0


def test_a_real_regression_is_red_and_says_why():
    found = compare(results_of(BASE), changed(lin_ts=[42.1, 43.0, 41.0, 44.0]))
    assert only(found).verdict == REGRESSION
    assert found.exit_code == 1
    text = str(found)
    assert all(
        word in text for word in ["shop", "lin_ts", REGRESSION, "margin allowed 1.0%", "detectable from", "Rule:"]
    )


def test_interval_by_hand_with_two_rows():
    # lin_ts loses 1, 2, 1, 2: mean 1.5, sd 0.57735, error 0.288675; two rows, so t(1 - 0.05 / 4, 3) = 4.176535.
    found = only(compare(results_of(BASE), changed(lin_ts=[43, 43, 42, 44])))
    assert found.difference == pytest.approx(-1.5 / 44.5)
    assert found.ci_low == pytest.approx((-1.5 - 4.176535 * 0.288675) / 44.5, abs=1e-6)
    assert found.ci_high == pytest.approx((-1.5 + 4.176535 * 0.288675) / 44.5, abs=1e-6)


def test_noise_is_inconclusive_and_the_report_says_what_would_decide():
    noisy = changed(lin_ts=[40, 48, 40, 48])
    found = compare(results_of(BASE), noisy)
    assert (only(found).verdict, found.verdict, found.exit_code) == (INCONCLUSIVE, "inconclusive", 0)
    text = str(found)
    assert "a loss above 1.0% is neither shown nor excluded" in text
    assert f"about {only(found).seeds_if_as_seen:,} seeds" in text
    assert f"({only(found).seeds_if_as_seen * 1000:,} customers)" in text
    assert only(found).seeds_if_equal > only(found).seeds


def test_the_strict_fail_on_what_is_inconclusive():
    noisy = changed(lin_ts=[40, 48, 40, 48])
    found = compare(results_of(BASE), noisy, fail_on="inconclusive")
    assert (found.verdict, found.exit_code) == ("inconclusive", 4)
    assert compare(results_of(BASE), results_of(BASE), fail_on="inconclusive").exit_code == 0
    assert compare(results_of(BASE), changed(lin_ts=[40, 41, 39, 42]), fail_on="inconclusive").exit_code == 1
    loose, strict = (Xml.fromstring(to_junit(one)) for one in (compare(results_of(BASE), noisy), found))
    assert (loose.get("skipped"), loose.get("errors")) == ("1", "0")
    assert (strict.get("skipped"), strict.get("errors")) == ("0", "1")


def test_where_something_is_missing_it_is_not_called_inconclusive():
    found = compare(results_of(BASE), results_of({"rules": [30, 50, 31, 49]}), fail_on="inconclusive")
    assert (found.verdict, found.exit_code) == ("no comparison", 4)


def test_further_measures_gate_in_their_own_direction():
    """`opt_outs` falls as the value rises, and less of it is better: a policy worth more is better in both."""
    better = changed(lin_ts=[v * 1.1 for v in BASE["lin_ts"]])
    margins = {"contribution": 0.01, "opt_outs": 0.02}
    found = compare(results_of(BASE), better, margin=margins)
    mine = [row for row in found.rows if row.policy == "lin_ts"]
    assert [(row.measure, row.verdict, row.margin) for row in mine] == [
        ("contribution", IMPROVEMENT, 0.01),
        ("opt_outs", IMPROVEMENT, 0.02),
    ]
    assert mine[1].difference == pytest.approx(1 / 1.1 - 1)
    assert [row.probability_of_improvement for row in mine] == [1.0, 1.0]
    assert "Bonferroni over 4 rows" in found.rule
    back = compare(better, results_of(BASE), margin=margins)
    worse = next(row for row in back.rows if (row.policy, row.measure) == ("lin_ts", "opt_outs"))
    assert (worse.verdict, worse.reason, back.exit_code) == (REGRESSION, "the whole interval lies above 2.0%", 1)
    assert "lin_ts (opt_outs)" in str(back)


def test_only_measures_with_a_better_can_gate():
    for name in ("sends", "opt_out"):
        with pytest.raises(UnknownName, match="opt_outs"):
            compare(results_of(BASE), results_of(BASE), margin={name: 0.01})
    with pytest.raises(UsageError, match="fail_on"):
        compare(results_of(BASE), results_of(BASE), fail_on="inconclusiv")


def test_equal_within_the_margin_says_where_it_may_be_better():
    found = compare(results_of(BASE), changed(lin_ts=[44.1, 45.1, 43.1, 46.1]), margin=0.0001)
    assert only(found).verdict == IMPROVEMENT
    found = compare(results_of(BASE), changed(lin_ts=[44, 47, 43, 48]), margin=0.15)
    assert only(found).verdict == EQUAL
    assert "equal within the margin (" in str(found)
    found = compare(results_of(BASE), changed(lin_ts=[44, 50, 43, 53]), margin=0.15)
    assert only(found).verdict == EQUAL
    assert "equal within the margin, or better (" in str(found)


def test_an_improvement_is_called_one():
    found = compare(results_of(BASE), changed(lin_ts=[46, 47.1, 45, 48]))
    assert (only(found).verdict, found.exit_code) == (IMPROVEMENT, 0)
    assert only(found).probability_of_improvement == 1.0


def test_the_margin_is_the_base_s_unless_given():
    base, loose = results_of(BASE), results_of({**BASE, "lin_ts": [42.1, 43.0, 41.0, 44.0]}, margin=0.5)
    found = compare(base, loose)
    assert (found.margin, found.exit_code) == (0.01, 1)
    assert "would allow 50.0%" in str(found)
    assert compare(base, loose, margin=0.5).exit_code == 0


def test_two_policies_of_one_file():
    base = results_of(BASE)
    found = compare(base, policy_base="rules", policy_candidate="lin_ts")
    assert [(row.policy, row.verdict) for row in found.rows] == [("lin_ts against rules", IMPROVEMENT)]
    assert compare(base, policy_base="lin_ts", policy_candidate="rules").exit_code == 1
    with pytest.raises(UnknownName, match="'lin_ts'"):
        compare(base, policy_base="rules", policy_candidate="lin_tss")
    with pytest.raises(UsageError, match="name both"):
        compare(base, policy_base="rules")


NOTHING_TO_COMPARE = {
    "other settings": (results_of(BASE, customers=2000), "customers"),
    "other world": (results_of(BASE, world="bank"), "worlds"),
    "other seeds": (results_of({k: v[:3] for k, v in BASE.items()}), "seeds"),
    "the world behaves otherwise": (results_of(BASE, none=[31, 33, 31, 32]), "itself behaves otherwise"),
    "only none": (results_of({"none": BASE["none"]}), "no such policy"),
    "a policy is gone": (results_of({"rules": BASE["rules"]}), "the candidate has no such policy"),
    "a row is gone": (changed(lin_ts=[44, 45, 43]), "rows are missing (seed 3)"),
}


@pytest.mark.parametrize(("candidate", "said"), NOTHING_TO_COMPARE.values(), ids=NOTHING_TO_COMPARE)
def test_what_cannot_be_compared_never_passes(candidate, said):
    found = compare(results_of(BASE), candidate)
    assert found.exit_code == 4
    assert said in str(found)
    assert Xml.fromstring(to_junit(found)).get("errors") != "0"
    assert found.to_dict()["verdict"] == "no comparison"


def test_one_seed_is_no_evidence():
    one = results_of({name: values[:1] for name, values in BASE.items()})
    found = compare(one, one)
    assert {row.verdict for row in found.rows} == {NO_EVIDENCE}
    assert found.exit_code == 4


def test_a_base_worth_nothing_has_no_shares():
    zero = results_of({"rules": [0, 0, 0, 0]})
    assert compare(zero, zero).exit_code == 4


def test_a_regression_is_red_even_where_another_row_is_missing():
    candidate = results_of({"rules": [30, 32, 31, 29]})
    assert compare(results_of(BASE), candidate).exit_code == 1


def test_a_new_policy_is_named_and_does_not_stop_the_others():
    found = compare(results_of(BASE), changed(ppo=[50, 50, 50, 50]))
    assert found.rows[-1].verdict == NEW
    assert found.exit_code == 0
    assert "ppo" in str(found)
    nothing = compare(results_of({"none": BASE["none"]}), results_of(BASE))
    assert {row.verdict for row in nothing.rows} == {NEW}
    assert nothing.exit_code == 4


def test_one_comparison_of_many_rows_widens_every_interval():
    narrow = compare(results_of({"rules": BASE["rules"]}), results_of({"rules": [40, 42, 40, 39]})).rows[0]
    wide = compare(results_of(BASE), changed(rules=[40, 42, 40, 39])).rows[0]
    assert wide.ci_low < narrow.ci_low < narrow.ci_high < wide.ci_high


def test_other_versions_are_noted():
    older = results_of(BASE).model_copy(update={"made_with": {**made_with(), "numpy": "1.0"}})
    assert "another numpy" in str(compare(older, results_of(BASE)))


# ------------------------------------------------------------------ files


def test_results_survive_the_way_through_a_file(tmp_path):
    results = results_of(BASE)
    results.write(tmp_path / "r.json")
    assert read_results(tmp_path / "r.json") == results
    assert compare(tmp_path / "r.json", str(tmp_path / "r.json")).exit_code == 0


def edit(**changes):
    def apply(text):
        return json.dumps({**json.loads(text), **changes})

    return apply


def first_row(**changes):
    def apply(text):
        content = json.loads(text)
        content["rows"][0] |= changes
        return json.dumps(content)

    return apply


DAMAGED = {
    "cut short": (lambda text: text[:-20], "damaged or incomplete"),
    "empty": (lambda text: "", "damaged or incomplete"),
    "a list": (lambda text: "[]", "JSON object"),
    "deep": (lambda text: "[" * 100_000, "JSON"),
    "of a later format": (edit(format=3), "another version"),
    "no results": (lambda text: '{"a": 1}', "benchmark -o"),
    "settings edited": (lambda text: text.replace('"customers": 1000', '"customers": 9'), "suite_hash"),
    "value not a number": (first_row(value_std=float("nan")), "value_std"),
    "value a text": (first_row(value_std="much"), "value_std"),
    "a row twice": (first_row(seed=1), "given once"),
    "a row without a seed": (lambda text: text.replace('"seed"', '"sed"', 1), "seed"),
    "an escape sequence": (first_row(policy="\x1b[2J"), "policy"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused(tmp_path, damage, said):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    results_of(BASE).write(good)
    bad.write_text(damage(good.read_text()))
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(ArtifactError) as wrong:
            compare(*pair)
        assert "bad.json" in str(wrong.value)
        assert said in str(wrong.value)


# ------------------------------------------------------------------ what others read


def hostile():
    row = Compared("<w>&\"'", "a|b\n]]>\x00\ud800", seeds=2, margin=0.01, verdict=NO_EVIDENCE, reason="`x` <script>")
    return Comparison((row,), 0.01, 0.05, "b", "c", notes=("* note *",))


def test_junit_holds_any_text():
    suite = Xml.fromstring(to_junit(hostile()))
    case = suite.find("testcase")
    assert case.get("classname") == "<w>&\"'"
    assert case.find("error").get("message") == "not enough evidence: `x` <script>"
    assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("1", "1", "0")


def test_junit_fails_the_regression_and_only_that():
    suite = Xml.fromstring(to_junit(compare(results_of(BASE), changed(lin_ts=[40, 41, 39, 42]))))
    failed = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert (failed, suite.get("tests")) == (["lin_ts"], "2")


def test_markdown_keeps_its_table_whole():
    text = hostile().to_markdown()
    (row,) = [line for line in text.splitlines() if line.startswith("| &lt;w&gt;")]
    assert row.count("|") - row.count("\\|") == 10
    assert "<script>" not in text


def test_json_is_plain():
    content = compare(results_of(BASE), changed(ppo=[1, 2, 3, 4])).to_dict()
    again = json.loads(json.dumps(content, allow_nan=False))
    assert again["rows"][-1]["difference"] is None
    assert (again["exit_code"], again["alpha"], again["margin"]) == (0, 0.05, 0.01)
    assert "Bonferroni" in again["rule"]


# ------------------------------------------------------------------ policies played now


def test_policies_are_played_on_the_same_customers():
    world = load_world("ecommerce", horizon=8)
    rules = load_policy("rules", world.catalog, world.features)
    told = []
    found = compare(rules, "rules", world=world, seeds=2, customers=200, progress=lambda *done: told.append(done))
    assert [(row.difference, row.verdict) for row in found.rows] == [(0.0, EQUAL)]
    assert told == [(1, 2), (2, 2)]
    worse = compare("rules", "always:coupon30@sms", world=world, seeds=3, customers=200)
    assert worse.rows[0].candidate < worse.rows[0].base
    assert worse.rows[0].policy == "always:coupon30@sms against rules"


def test_a_learner_named_by_reference_is_taught_for_every_seed():
    world = load_world("ecommerce", horizon=8)
    found = compare("none", "lin_ts", world=world, seeds=2, customers=100, train=Training(customers=100))
    assert found.rows[0].seeds == 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"base": "rules", "world": "ecommerce"},
        {"base": "rules", "candidate": "none", "world": "ecommerce", "seeds": 1},
        {"base": results_of(BASE), "candidate": results_of(BASE), "margin": 1.0},
        {"base": results_of(BASE), "candidate": results_of(BASE), "alpha": 0.0},
        {"base": results_of(BASE)},
    ],
)
def test_words_that_do_not_fit_together_are_told(arguments):
    with pytest.raises(UsageError):
        compare(**arguments)


def test_policies_need_a_world():
    world = load_world("ecommerce")
    with pytest.raises(UsageError, match="world"):
        compare(load_policy("none", world.catalog, world.features), "rules")


# ------------------------------------------------------------------ command line


@pytest.fixture
def files(tmp_path):
    results_of(BASE).write(tmp_path / "main.json")
    changed(lin_ts=[40, 41, 39, 42]).write(tmp_path / "worse.json")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_compare_exits_as_it_says(files):
    main, worse = files / "main.json", files / "worse.json"
    assert run("compare", main, main).exit_code == 0
    red = run("compare", main, worse)
    assert red.exit_code == 1
    assert "REGRESSION" in red.stdout
    missing = run("compare", files / "nowhere.json", main)
    assert (missing.exit_code, missing.stdout.startswith("No comparison: the base")) == (4, True)
    assert run("compare", main, "--policy-base", "lin_ts", "--policy-cand", "rules").exit_code == 1
    noisy = files / "noisy.json"
    changed(lin_ts=[40, 48, 40, 48]).write(noisy)
    assert run("compare", main, noisy).exit_code == 0
    assert run("compare", main, noisy, "--fail-on", "inconclusive").exit_code == 4
    assert run("compare", main, noisy, "--fail-on", "inconclusive", "--margin", "0.9").exit_code == 0
    assert run("compare", main, main, "--margin", "0.01", "--margin", "opt_outs=0.05").stdout.count("opt_outs") == 2
    assert isinstance(run("compare", main, main, "--margin", "opt_outs=5%").exception, UsageError)


def test_compare_writes_what_ci_shows(files):
    main, worse = files / "main.json", files / "worse.json"
    shown = run("compare", main, worse, "--json", "--junit", files / "j.xml", "--markdown", files / "m.md")
    assert json.loads(shown.stdout)["verdict"] == "regression"
    assert Xml.parse(files / "j.xml").getroot().get("failures") == "1"
    assert (files / "m.md").read_text().startswith("### Policy benchmark: regression")


def test_a_refused_comparison_is_written_too(files):
    assert run("compare", files / "nowhere.json", files / "main.json", "--junit", files / "j.xml").exit_code == 4
    assert "is missing" in (files / "j.xml").read_text()


def test_benchmark_prints_results_and_nothing_else(tmp_path):
    suite = tmp_path / "s.toml"
    suite.write_text("worlds = ['ecommerce']\ncustomers = 50\nhorizon = 5\n[[policy]]\nuse = 'rules'\n")
    shown = run("benchmark", suite, "--seeds", "2", "--json", "-o", tmp_path / "r.json")
    assert shown.exit_code == 0
    assert json.loads(shown.stdout) == json.loads((tmp_path / "r.json").read_text())
    assert shown.stderr == ""
    assert "rules" in run("benchmark", suite, "--seeds", "2").stdout

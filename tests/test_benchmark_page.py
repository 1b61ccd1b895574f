"""The page of a benchmark: its sentence follows from the figures, and it holds what the results hold."""

import pytest

from campaignrl.report.pages import benchmark_page
from campaignrl.report.pages.benchmark import sentence
from campaignrl.suites import Suite, benchmark
from campaignrl.suites.comparison import Compared
from campaignrl.suites.statistics import EQUAL, IMPROVEMENT, INCONCLUSIVE, REGRESSION
from campaignrl.suites.suite import Gate, PolicyUse


def row(policy, verdict, difference=0.05):
    ends = {"ci_low": difference - 0.01, "ci_high": difference + 0.01}
    return Compared("shop", policy, seeds=5, margin=0.01, verdict=verdict, difference=difference, **ends)


SENTENCES = [
    ([row("a", IMPROVEMENT), row("b", REGRESSION)], "In shop a brings more than base: +5.0% [+4.0%, +6.0%]."),
    (
        [row("a", IMPROVEMENT), row("b", IMPROVEMENT, 0.2), row("c", INCONCLUSIVE)],
        "In shop b brings more than base: +20.0% [+19.0%, +21.0%] (a too). Not decided with these seeds: c.",
    ),
    ([row("a", REGRESSION), row("b", REGRESSION)], "In shop nothing beats base: every other policy loses."),
    ([row("a", REGRESSION), row("b", EQUAL)], "In shop no policy is shown to beat base. a loses."),
    ([row("a", INCONCLUSIVE)], "In shop no policy is shown to beat base. Not decided with these seeds: a."),
]


@pytest.mark.parametrize(("rows", "said"), SENTENCES)
def test_the_sentence_follows_from_the_verdicts(rows, said):
    assert sentence("shop", "base", rows) == said


@pytest.fixture(scope="module")
def results():
    uses = [PolicyUse(use="uniform", spread=0.01), PolicyUse(use="rules", label="<b>rules</b>")]
    gate = Gate(baseline="uniform")
    return benchmark(
        Suite(worlds=["ecommerce"], policy=uses, seeds=3, customers=150, horizon=8, compare=gate, name="<i>x</i>")
    )


def test_the_page_holds_every_policy_measure_segment_and_channel_and_escapes_names(results):
    page = benchmark_page(results)
    assert benchmark_page(results) == page
    for name in (*results.measures, *results.rows[0].segments, *results.rows[0].channels, "uniform", "How it was made"):
        assert name in page
    assert "With 3 seeds, `compare` calls these losses a regression" in page
    for hostile in ("<b>rules", "<i>x"):
        assert hostile not in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<svg") == 1


def test_one_seed_has_a_page_without_a_picture(results):
    single = results.model_copy(update={"rows": [one for one in results.rows if one.seed == 0]})
    page = benchmark_page(single)
    assert "<svg" not in page
    assert "one seed says nothing about chance" in page

"""The page: whole, well formed, needing nothing else, safe with any name, and saying what the figures say."""

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from campaignrl.campaign import run_campaign
from campaignrl.errors import UsageError
from campaignrl.ope.evaluate import compare_on_log, evaluate
from campaignrl.ope.intervals.clustered import Estimate
from campaignrl.report.facts import wording as words
from campaignrl.report.facts.content import best_estimate
from campaignrl.report.facts.kpi import Kpi
from campaignrl.report.figures.captions import heatmaps, sends_by
from campaignrl.report.html import Gain, ReportContent, page, write_report
from campaignrl.report.pages.sections import first_table, headline, kpi_table
from campaignrl.specs.world import World
from campaignrl.toml import check
from campaignrl.true_value import Value, campaign_lift, decision_lift

HOSTILE = '<script>alert("1")</script>$x$\'&amp;'
VOID = {"meta", "br"}


class Structure(HTMLParser):
    """Reads a page strictly: every element closed in its turn, ids unique."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def logged(small_world):
    return run_campaign(small_world, "uniform", customers=1500, seed=2, keep_log=True)


@pytest.fixture(scope="module")
def content(small_world, logged):
    coupon = "always:coupon20@push"
    campaigns = [run_campaign(small_world, name, customers=1500, seed=2) for name in ("none", coupon)]
    truth = decision_lift(small_world, coupon, "none", customers=1500, seed=5)
    ours, other = (evaluate(logged.log, name) for name in (coupon, "none"))
    return ReportContent(
        world=small_world,
        campaigns=(*campaigns, replace(logged, log=None)),
        evaluations=((ours, None), (replace(other, verdict="caution", reasons=("half of it is < enough.",)), None)),
        gains=(Gain(coupon, compare_on_log(logged.log, coupon, "none"), truth),),
        baseline="none",
        titles={coupon: "coupon for all"},
        facts={"seed": 2, "made for": HOSTILE},
    )


@pytest.fixture(scope="module")
def whole(content):
    """The page of all parts."""
    return page(content)


@pytest.fixture(scope="module")
def hostile(small_world):
    """A world whose segments, offers and channels are named to do harm."""
    tables = small_world.model_dump(exclude_unset=True)
    names = {"coupon20": HOSTILE, "loyal": "<b>loyal", "sms": "短信<i>"}
    tables["offers"] = {names.get(n, n): offer for n, offer in tables["offers"].items()}
    tables["segments"] = {names.get(n, n): segment for n, segment in tables["segments"].items()}
    tables["channels"] = {names.get(n, n): channel for n, channel in tables["channels"].items()}
    for offer in tables["offers"].values():
        offer["channels"] = [names.get(n, n) for n in offer["channels"]]
        offer.pop("only_if", None)
    for segment in tables["segments"].values():
        segment["consent"] = {names.get(n, n): share for n, share in segment["consent"].items()}
        segment.pop("affinity", None)
    for cap in tables.get("guard", {}).get("caps", []):
        cap["channel"] = names.get(cap.get("channel"), cap.get("channel"))
    tables["title"] = HOSTILE
    return check(World, tables, "hostile")


def test_the_page_is_well_formed_and_needs_nothing_else(whole):
    read = Structure(whole)
    ids = [attrs["id"] for _, attrs in read.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in read.elements:
        assert tag not in {"script", "link", "iframe", "img", "object"}
        assert not any(name.startswith("on") or name == "src" for name in attrs)
        assert attrs.get("href", "#").startswith("#")
    assert not re.search(r"https?://|@import|url\((?!#)", whole)
    assert [tag for tag, _ in read.elements].count("svg") >= 5


def test_the_same_content_gives_the_same_page(content, whole):
    assert page(replace(content, titles=dict(content.titles))) == whole


def test_the_page_names_every_policy_verdict_and_reason(content, whole):
    read = Structure(whole).words
    for label in ("sending nothing", "coupon for all", "random choice"):
        assert label in read
    for evaluation, _ in content.evaluations:
        assert f" {evaluation.verdict} " in read
        for reason in evaluation.reasons:
            assert " ".join(reason.split()) in read
    assert "half of it is < enough." in read


def test_the_first_table_holds_the_campaigns_own_figures(content, whole):
    none, coupon, _ = content.campaigns
    rows = {row.label: row for row in first_table(content)}
    lift = campaign_lift(coupon, none)
    assert rows["coupon for all"].lift == words.value_text(lift, sign=True)
    assert rows["sending nothing"].is_reference
    assert rows["sending nothing"].lift == (words.NOTHING, "")
    assert rows["random choice"].badge is None
    assert rows["coupon for all"].badge.verdict == content.evaluations[0][0].verdict
    bars = [row.bar for row in rows.values() if row.bar]
    assert len(bars) == 2
    assert all(0 <= bar.low < bar.dot < bar.high <= 120 and 0 <= bar.zero <= 120 for bar in bars)
    assert (rows["coupon for all"].bar.dot > bars[0].zero) == (lift.value > 0)
    assert rows["coupon for all"].lift[0] in whole


def test_headlines_say_what_the_intervals_say(content):
    none, coupon, uniform = content.campaigns
    said = headline(content)
    assert len(said) == 2
    for campaign, sentence in zip((coupon, uniform), said, strict=True):
        lift = campaign_lift(campaign, none)
        if lift.ci_low <= 0 <= lift.ci_high:
            assert sentence.startswith("No difference between")
        else:
            assert (" more per customer" in sentence) == (lift.value > 0)


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (1.0, 3.0, "Ours earns 2.0 EUR more per head than theirs (95 % interval 1.0 to 3.0)."),
        (-3.0, -1.0, "Ours earns 2.0 EUR less per head than theirs (95 % interval 1.0 to 3.0)."),
        (-1.0, 3.0, "No difference between ours and theirs is shown (95 % interval −1.0 to +3.0 EUR per head)."),
        (0.0, 3.0, "No difference between ours and theirs is shown (95 % interval 0.0 to +3.0 EUR per head)."),
        (math.nan, math.nan, "How ours compares with theirs cannot be said."),
    ],
)
def test_a_difference_in_words(low, high, says):
    value = Value((low + high) / 2 if high < 0 or low > 0 else 1.0, 0.5, low, high)
    assert words.difference_sentence("ours", "theirs", value, "EUR", "per head") == says


@pytest.mark.parametrize(
    ("low", "high", "value", "says"),
    [
        (106.7, 121.0, 113.86, ("113.9", "[106.7, 121.0]")),
        (-0.0012, 0.0008, -0.0002, ("−0.0002", "[−0.0012, 0.0008]")),
        (90_000, 110_000, 100_000, ("100,000", "[90,000, 110,000]")),
        (0.0, 0.0, 0.0, ("0", "[0, 0]")),
        (-0.001, 4.0, -0.0001, ("0.0", "[0.0, 4.0]")),  # no minus nought
        (math.nan, math.nan, 3.14159, ("3.14", "")),
        (1.0, 2.0, math.nan, (words.NOTHING, "")),
        (1.0, math.inf, 2.0, ("2.00", f"[1.00, {words.NOTHING}]")),
    ],
)
def test_numbers_have_the_digits_they_deserve(low, high, value, says):
    assert words.with_interval(low, high, value) == says


def test_shares_are_shown_in_per_cent():
    kpi = Kpi("ctr", "Click rate", "share", "Clicks.", Value(0.1234, 0.01, 0.1034, 0.1434))
    assert words.kpi_text(kpi) == ("12.3 %", "[10.3, 14.3]")


@pytest.mark.parametrize(("truth", "place"), [(2.0, "inside"), (4.1, "at the edge of"), (5.0, "outside")])
def test_where_the_truth_lies(truth, place):
    said = words.truth_sentence(1.0, 4.0, Value(truth, 0.1, truth - 0.2, truth + 0.2))
    assert said == f"The simulator knows the true value: {truth} ± 0.2, {place} the interval."


def test_hostile_names_stay_text(hostile):
    campaigns = tuple(run_campaign(hostile, name, customers=300, seed=2) for name in ("none", "uniform"))
    logged = run_campaign(hostile, "uniform", customers=300, seed=2, keep_log=True)
    policy = f"always:{HOSTILE}@push"
    evaluated = replace(evaluate(logged.log, policy), reasons=(HOSTILE,))
    made = ReportContent(
        title=HOSTILE,
        world=hostile,
        campaigns=campaigns,
        evaluations=((evaluated, None),),
        titles={"uniform": HOSTILE},
        facts={HOSTILE: HOSTILE},
    )
    read = Structure(page(made))
    assert not {"script", "b><i", "i"} & {tag for tag, _ in read.elements}
    assert read.words.count('<script>alert("1")</script>') >= 6
    assert "短信<i>" in read.words
    assert "<b>loyal" in read.words


def test_a_log_alone_makes_a_page(logged):
    fine = evaluate(logged.log, "always:coupon20@push")
    refused = replace(fine, policy="never_tried", verdict="refuse", reasons=("nothing speaks for it.",))
    made = ReportContent(evaluations=((fine, None), (refused, None)))
    read = Structure(page(made)).words
    assert "never_tried" in read
    assert "nothing speaks for it." in read
    assert "From the log alone it cannot be said what never_tried would earn." in read
    assert read.count("the log cannot say") == 1  # in the picture
    rows = first_table(made)
    assert rows[0].value[0] != words.NOTHING
    assert (rows[1].value, rows[1].lift, rows[1].bar) == ((words.NOTHING, ""), (words.NOTHING, ""), None)
    assert "Key figures" not in read
    assert "Who is sent what" not in read


def test_an_evaluation_without_any_estimate_makes_a_page(logged):
    missing = Estimate(*[math.nan] * 4, "none")
    fine = evaluate(logged.log, "uniform")
    nothing = replace(
        fine, estimates={"ips": missing}, lift=math.nan, lift_ci_low=math.nan, lift_ci_high=math.nan, verdict="refuse"
    )
    assert "the log cannot say" in Structure(page(ReportContent(evaluations=((nothing, None),)))).words
    assert math.isnan(best_estimate(replace(fine, estimates={})).value)


def test_the_doubly_robust_estimate_is_shown_first(logged):
    found = evaluate(logged.log, "none", estimators=("ips", "snips", "dr", "dm"))
    assert best_estimate(found) == found.estimates["dr"]
    assert best_estimate(replace(found, estimates={"dm": found.estimates["dm"]})) == found.estimates["dm"]


def test_nothing_sent_makes_a_page_without_a_heatmap(small_world):
    quiet = run_campaign(small_world, "none", customers=40, seed=1)
    made = ReportContent(world=small_world, campaigns=(quiet,))
    assert heatmaps(made) == []
    assert headline(made) == []
    read = Structure(page(made)).words
    assert "sending nothing" in read
    assert "Click rate" not in read  # nothing to click on
    assert "Sends" in {row.name for row in kpi_table(made)}


def test_an_empty_report_is_still_a_page():
    assert "How it was made" in Structure(page(ReportContent())).words


def test_campaigns_of_other_customers_make_no_report(small_world):
    campaigns = tuple(run_campaign(small_world, "none", customers=40, seed=seed) for seed in (1, 2))
    with pytest.raises(UsageError, match="seed 2"):
        ReportContent(world=small_world, campaigns=campaigns)


def test_many_offers_are_added_up(small_world):
    tables = small_world.model_dump(exclude_unset=True)
    content = tables["offers"]["content"]
    tables["offers"] = {f"offer{k}": content for k in range(20)}
    many = check(World, tables, "many")
    campaign = run_campaign(many, "uniform", customers=200, seed=1)
    (_, names, offers), (_, channels, by_channel) = sends_by(campaign)
    sends = campaign.action_counts[:, 1:]
    order = np.argsort(-sends.sum(axis=0), kind="stable")
    assert names == [*(f"offer{k}" for k in order[:11]), "9 others"]
    assert np.array_equal(offers[:, :11], sends[:, order[:11]])
    assert np.array_equal(offers.sum(axis=1), sends.sum(axis=1))
    assert channels == ["push", "sms"]
    assert np.array_equal(by_channel[:, 0], sends.sum(axis=1))


def test_the_page_appears_whole_or_not_at_all(tmp_path):
    content = ReportContent(facts={"made for": "全场八折"})
    write_report(tmp_path / "new" / "report.html", content)
    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8") == page(content)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["report.html"]
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(UsageError, match="cannot be written"):
        write_report(tmp_path / "taken" / "report.html", content)


def test_half_a_surrogate_does_not_stop_the_page(tmp_path):
    write_report(tmp_path / "r.html", ReportContent(title="a\ud800b"))
    assert "a?b" in (tmp_path / "r.html").read_text(encoding="utf-8")

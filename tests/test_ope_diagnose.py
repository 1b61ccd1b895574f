"""The verdict: which figures make which, and in what words."""

import pytest

from campaignrl.ope.diagnostics.holdout import Holdout
from campaignrl.ope.diagnostics.verdict import CHECKS, Figures, diagnose, worst_and_best

SOUND = Figures(
    n=10_000,
    customers=8_000,
    ess=5_000.0,
    max_weight_share=0.001,
    max_customer_share=0.002,
    mean_weight=1.001,
    mean_weight_p=0.8,
    off_support=0.0,
    outcomes=400,
    one_reward=False,
    dropped_share=0.0,
    certain_share=0.0,
    clipped_mass=0.0,
    half_precision=False,
    disagreement_p=0.5,
    snips=0.1,
    dr=0.1,
    supported_value=0.1,
    reward_range=(0.0, 1.0),
    mix=(0.2, 3_900.0),
)


def test_sound_figures_are_trusted_without_a_word():
    assert diagnose(SOUND) == ("trust", ())


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({"ess": 999.0}, "caution", "about 999 of 10,000 rows carry the estimate"),
        ({"ess": 2.1}, "refuse", "effective sample size 2.1"),
        ({"ess": 0.0}, "refuse", "none of 10,000 rows speaks"),
        ({"max_weight_share": 0.06}, "caution", "one row holds 6% of the weight"),
        ({"max_weight_share": 0.68}, "refuse", "one row holds 68% of the weight"),
        ({"max_customer_share": 0.3}, "refuse", "one customer holds 30% of the weight"),
        ({"customers": 1}, "refuse", "only 1 customer:"),
        ({"customers": 40}, "caution", "only 40 customers:"),
        ({"mean_weight": 0.95, "mean_weight_p": 1e-6}, "caution", "mean weight is 0.950"),
        ({"mean_weight": 1.4, "mean_weight_p": 1e-6}, "refuse", "do not belong to this log."),
        ({"mean_weight": 0.4, "mean_weight_p": 1e-6}, "refuse", "was never tried"),
        ({"off_support": 0.005}, "caution", "0.5% of what this policy would do was never tried"),
        ({"off_support": 0.4}, "refuse", "anything from 0.1 to 0.5"),
        ({"off_support": 0.4, "certain_share": 1.0}, "refuse", "only dm, the model's guess"),
        ({"certain_share": 1.0}, "trust", ""),  # it asks only about what was done
        ({"outcomes": 1}, "caution", "only 1 row with a reward other than 0 speaks"),
        ({"one_reward": True, "outcomes": 0}, "caution", "every reward is the same"),
        ({"dropped_share": 0.5}, "caution", "50% of the rows are left out"),
        ({"half_precision": True}, "caution", "rounded to 16-bit"),
        ({"disagreement_p": 1e-5, "snips": 0.3}, "caution", "with the model the value is 0.1, without it 0.3"),
        ({"holdout": Holdout(0.05, 0.048, 0.4, 0)}, "trust", ""),
        (
            {"holdout": Holdout(0.05, 0.03, 1e-6, 0)},
            "caution",
            "3% of the customers are held out where 5% were planned",
        ),
        ({"holdout": Holdout(0.05, 0.05, 0.9, 7)}, "caution", "7 customers who were to be held out were contacted"),
        ({"clipped_mass": 0.12}, "trust", "ips_clip leaves out 12%"),
    ],
)
def test_each_finding(changes, verdict, words):
    said, reasons = diagnose(SOUND._replace(**changes))
    assert said == verdict
    assert words in " ".join(reasons)


def test_every_check_can_speak_and_the_worst_comes_first():
    bad = SOUND._replace(
        ess=50.0, max_weight_share=0.3, customers=40, mean_weight=0.4, mean_weight_p=0.0, off_support=0.2, outcomes=2,
        certain_share=0.5, dropped_share=0.5, clipped_mass=0.3, half_precision=True, disagreement_p=0.0,
            calibration_gap=0.02, holdout=Holdout(0.05, 0.01, 0.0, 0), learned_from=0.5,
    )  # fmt: skip
    assert all(check(bad) is not None for check in CHECKS)
    verdict, reasons = diagnose(bad)
    assert verdict == "refuse"
    assert "ips_clip" in reasons[-2]  # a note comes last, before the way out


def test_a_refusal_says_what_would_help():
    _, reasons = diagnose(SOUND._replace(ess=2.1))
    assert "log with at least 1 % exploration on every action" in reasons[-1]
    assert "`--mix 0.2` would have an effective sample size of about 3,900" in reasons[-1]
    _, reasons = diagnose(SOUND._replace(ess=2.1, mix=None))
    assert reasons[-1].endswith("every action.")


TINY = 1e-6


@pytest.mark.parametrize(
    ("figure", "within", "beyond", "verdicts", "others"),
    [
        ("ess", 1_000.0, 1_000.0 - TINY, ("trust", "caution"), {}),
        ("ess", 100.0, 100.0 - TINY, ("caution", "refuse"), {}),
        ("max_weight_share", 0.05, 0.05 + TINY, ("trust", "caution"), {}),
        ("max_weight_share", 0.20, 0.20 + TINY, ("caution", "refuse"), {}),
        ("max_customer_share", 0.05, 0.05 + TINY, ("trust", "caution"), {}),
        ("max_customer_share", 0.20, 0.20 + TINY, ("caution", "refuse"), {}),
        ("customers", 50, 49, ("trust", "caution"), {}),
        ("customers", 30, 29, ("caution", "refuse"), {}),
        ("mean_weight_p", 0.001, 0.001 - TINY, ("trust", "caution"), {}),
        ("mean_weight", 1.0 + 0.1 - TINY, 1.0 + 0.1 + TINY, ("caution", "refuse"), {"mean_weight_p": 0.0}),
        ("mean_weight", 0.9 + TINY, 0.9 - TINY, ("caution", "refuse"), {"mean_weight_p": 0.0}),
        ("off_support", 1e-9, 1.1e-9, ("trust", "caution"), {}),
        ("off_support", 0.01, 0.01 + TINY, ("caution", "refuse"), {}),
        ("certain_share", 1.0 - TINY, 1.0, ("caution", "refuse"), {"off_support": 0.005}),
        ("outcomes", 30, 29, ("trust", "caution"), {}),
        ("dropped_share", 0.20, 0.20 + TINY, ("trust", "caution"), {}),
        ("disagreement_p", 0.001, 0.001 - TINY, ("trust", "caution"), {}),
        ("learned_from", 0.0, TINY, ("trust", "caution"), {}),
        ("holdout", Holdout(0.05, 0.04, 0.001, 0), Holdout(0.05, 0.04, 0.001 - TINY, 0), ("trust", "caution"), {}),
        ("holdout", Holdout(0.05, 0.05, 0.9, 0), Holdout(0.05, 0.05, 0.9, 1), ("trust", "caution"), {}),
    ],
)
def test_each_threshold_from_both_sides(figure, within, beyond, verdicts, others):
    figures = SOUND._replace(**others)
    assert diagnose(figures._replace(**{figure: within}))[0] == verdicts[0]
    assert diagnose(figures._replace(**{figure: beyond}))[0] == verdicts[1]


@pytest.mark.parametrize(("mass", "said"), [(0.05, False), (0.05 + TINY, True)])
def test_clipped_weight_is_noted_from_five_percent_on(mass, said):
    verdict, reasons = diagnose(SOUND._replace(clipped_mass=mass))
    assert (verdict, bool(reasons)) == ("trust", said)


def test_a_missing_mean_weight_is_blamed_on_what_was_never_tried_only_where_weight_is_missing():
    low, high = (diagnose(SOUND._replace(mean_weight=m, mean_weight_p=0.0))[1][0] for m in (0.95, 1.05))
    assert "was never tried" in low
    assert "was never tried" not in high


def test_what_was_never_tried_earns_the_least_or_the_largest_reward():
    assert worst_and_best(0.3, 0.2, (-1.0, 5.0)) == (pytest.approx(0.1), pytest.approx(1.3))

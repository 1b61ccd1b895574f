"""What is asked beside a value: the same answers as asked one by one, in words and in JSON."""

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest

from campaignrl.errors import UnknownName
from campaignrl.ope.comparison.policies import cost_per_incremental, lift_by, probability_of_harm
from campaignrl.ope.comparison.subgroups import Breakdown, breakdown
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.intervals.clustered import Estimate

_SPEC = importlib.util.spec_from_file_location("logs", Path(__file__).with_name("test_ope_log.py"))
LOGS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(LOGS)
make_log, always = LOGS.make_log, LOGS.always


def priced_log(n=4000):
    log = make_log(n)
    return make_log(n, cost=np.where(log.action == 3, 4, 0))


def test_the_answers_are_those_of_the_single_questions():
    log = priced_log()
    found = breakdown(log, always(log, 3), always(log, 0), by=["tag", "recency"], risk=True)
    assert found.parts["tag"] == lift_by(log, always(log, 3), "tag", always(log, 0))
    assert list(found.parts) == ["tag", "recency"]
    assert found.harm == probability_of_harm(log, always(log, 3), always(log, 0))
    assert found.cost == cost_per_incremental(log, always(log, 3), always(log, 0))


@pytest.mark.parametrize("mix", [1.0, 0.3])
def test_lifts_by_part_add_up_to_the_lift_of_the_evaluation(mix):
    log = priced_log()
    parts = breakdown(log, always(log, 2), by=["tag"], mix=mix).parts["tag"]
    whole = evaluate(log, always(log, 2), mix=mix)
    assert sum(p.n * p.lift.value for p in parts) / len(log) == pytest.approx(whole.lift, abs=1e-12)


def test_what_is_not_asked_for_is_not_said():
    log = priced_log(400)
    found = breakdown(log, "logged", by=["tag"])
    assert (found.harm, found.cost) == (None, None)
    assert "probability" not in str(found)
    assert set(found.to_dict()) == {"lift_by"}


def test_a_log_without_costs_has_no_price():
    log = make_log(400)
    found = breakdown(log, always(log, 3), risk=True)
    assert found.cost is None
    assert found.to_dict()["cost_per_incremental"] is None


def test_a_policy_that_the_log_cannot_follow_gets_no_figures():
    log = priced_log(400)
    log = make_log(400, action=np.zeros(400, dtype=int), propensity=np.ones(400), cost=log.cost)
    found = breakdown(log, always(log, 3), by=["tag"], risk=True)
    assert math.isnan(found.harm)
    assert all(math.isnan(part.lift.value) for part in found.parts["tag"])
    json.dumps(found.to_dict(), allow_nan=False)
    assert "nan" not in str(found)


def test_words_never_read_as_certain_and_a_price_without_an_end_is_not_told():
    endless = Estimate(-86.0, 10.0, -math.inf, math.inf, "Fieller")
    assert "below 0.1%" in str(Breakdown(reference="logged", parts={}, harm=1e-12))
    assert "above 99.9%" in str(Breakdown(reference="logged", parts={}, harm=1 - 1e-12))
    assert "12.0%" in str(Breakdown(reference="logged", parts={}, harm=0.12))
    said = str(Breakdown(reference="logged", parts={}, harm=0.5, cost=endless))
    assert "cannot be told" in said
    assert "inf" not in said
    assert Breakdown(reference="logged", parts={}, harm=0.5, cost=endless).to_dict()["cost_per_incremental"] == {
        "value": -86.0,
        "std_error": 10.0,
        "ci_low": None,
        "ci_high": None,
        "interval": "Fieller",
    }


def test_an_unknown_part_is_named():
    with pytest.raises(UnknownName, match="Did you mean 'recency'"):
        breakdown(make_log(100), "logged", by=["recencie"])

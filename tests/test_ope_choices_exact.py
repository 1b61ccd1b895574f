"""What an evaluation chooses at its borders: intervals by name, models of its own, what is not to be had and why."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from test_ope_log import always, within
from test_ope_methods_exact import LOG, evidence

from campaignrl.ope.data.target_policy import target_policy_of
from campaignrl.ope.intervals import EMPIRICAL_LIKELIHOOD
from campaignrl.ope.intervals.clustered import Clusters, Estimate
from campaignrl.ope.methods import intervals_by_name as by_name
from campaignrl.ope.methods.preparation import (
    DEPENDENT,
    _speechless,
    mrdr_rows,
    propensities,
    unavailable,
)
from campaignrl.ope.methods.registry import with_own_weights


def test_two_that_do_the_same_need_no_other_interval():
    e, nothing = evidence(), Estimate(0.0, 0.0, 0.0, 0.0, EMPIRICAL_LIKELIHOOD)
    assert by_name.difference_with_interval("t", LOG, e, e, nothing, 0.05, 0) is nothing
    silent = Estimate(math.nan, math.nan, math.nan, math.nan, "none")
    assert by_name.difference_with_interval("t", LOG, e, e, silent, 0.05, 0) is silent
    other = evidence(policy=always(LOG, 0) * 0.5 + within(LOG) * 0.5)
    made = Estimate(0.01, 0.02, 0.0, 0.0, EMPIRICAL_LIKELIHOOD)
    found = by_name.difference_with_interval("t", LOG, e, other, made, 0.05, 0)
    assert found.interval == by_name.BY_NAME["t"].made_by
    assert by_name.difference_with_interval(EMPIRICAL_LIKELIHOOD, LOG, e, other, made, 0.05, 0) is made


def test_bounds_of_what_is_averaged():
    e = evidence()._replace(reward_range=(0.5, 1.0))
    assert by_name.mean_of("ips_clip", e, None).range[0] == 0.0  # a row may weigh nothing
    assert by_name.mean_of("ips", e, None).weighted is not None
    assert by_name.mean_of("ips", e._replace(weight_range=(-1.0, 3.0)), None).weighted is None


def test_an_interval_at_any_time_of_rewards_of_one_value_and_of_customers_of_no_weight():
    clusters = Clusters(np.arange(4))
    orders = SimpleNamespace(by_time=np.arange(4))
    one = SimpleNamespace(range=(2.0, 2.0), clusters=clusters, terms=np.full(4, 2.0), weighted=None)
    assert by_name._anytime(one, orders, 0.05, 0) == (2.0, 2.0)
    weight, reward = np.array([0.0, 2.0, 1.0, 1.0]), np.array([1.0, 0.0, 1.0, 1.0])
    some = SimpleNamespace(
        range=(0.0, 2.0), clusters=clusters, terms=weight * reward, weighted=(weight, reward, (0.0, 1.0))
    )
    low, high = by_name._anytime(some, orders, 0.05, 0)
    assert 0.0 <= low < high <= 1.0


def test_propensities_that_the_log_holds_are_kept_though_others_are_estimated():
    log, estimated, _ = propensities(LOG, "estimate", (), 2, 0)
    assert log is LOG
    assert estimated is not None
    assert propensities(LOG, None, ("dr",), 2, 0) == (LOG, None, None)


def test_a_model_is_fitted_by_what_errors_cost_where_any_row_speaks():
    target = target_policy_of(always(LOG, 0), LOG)
    e = evidence(policy=always(LOG, 0))
    assert (e.weight == 0.0).any()
    fitted = mrdr_rows(LOG, e, target, (0.0, 1.0), 2, 0, "ridge")
    assert not np.allclose(fitted.predicted, e.predicted)
    silent = e._replace(weight=np.zeros(len(LOG)))
    assert mrdr_rows(LOG, silent, target, (0.0, 1.0), 2, 0, "ridge") is silent


@pytest.mark.parametrize(
    ("names", "independent", "missing"),
    [(("pi", "dr"), False, ["pi"]), (("pi",), True, []), (("mips_offer", "dr"), False, []), (("dr",), False, [])],
)
def test_the_pseudo_inverse_needs_slots_that_are_drawn_by_themselves(names, independent, missing):
    e = evidence()._replace(marginals=SimpleNamespace(independent=independent))
    assert unavailable(names, e) == dict.fromkeys(missing, DEPENDENT)


def test_weights_of_slots_are_taken_by_those_that_ask_for_them():
    part = SimpleNamespace(weight=np.full(len(LOG), 3.0))
    offer = (part.weight, (0.0, 5.0), 0.25)
    e = evidence()
    both = e._replace(marginals=SimpleNamespace(offer=offer))
    assert with_own_weights("dr", both) is both
    assert with_own_weights("mips_offer", e) is e
    own = with_own_weights("mips_offer", both)
    assert (own.weight is part.weight, own.weight_range, own.off_support) == (True, (0.0, 5.0), 0.25)


def test_errors_that_one_estimator_lacks_are_told():
    fine, none = Estimate(1.0, 0.1, 0.8, 1.2, "t"), Estimate(math.nan, math.nan, math.nan, math.nan, "none")
    alone = Estimate(1.0, math.nan, math.nan, math.nan, "t")
    assert _speechless({"a": fine}) == ()
    assert _speechless({"a": fine, "b": alone}) == ("std. errors: not to be had from one customer.",)
    assert _speechless({"a": fine, "b": none}) == ("b: not to be had, no row or only certain actions speak.",)
    assert len(_speechless({"a": alone, "b": none})) == 2

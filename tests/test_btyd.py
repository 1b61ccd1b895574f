"""Purchase models: published answers on CDNOW, laws that need no data, and the textbook's formulas beside ours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from campaignrl.calibration.purchase import beta_geometric, gamma_gamma, nbd, pareto_nbd
from campaignrl.calibration.purchase.fitting import Fit
from campaignrl.calibration.purchase.histories import as_given, distinct, histories
from campaignrl.calibration.purchase.models import (
    FITS,
    BgNbd,
    MbgNbd,
    ParetoNbd,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_mbg_nbd,
    fit_nbd,
    fit_pareto_nbd,
)
from campaignrl.calibration.purchase.partial_pooling import fit_by_segment
from campaignrl.calibration.purchase.rfm import summarise
from campaignrl.errors import DataError, SpecError

NO_FIT = Fit(np.nan, {}, 0.0, False)
MODELS = {
    "bg_nbd": BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426, fit=NO_FIT),
    "mbg_nbd": MbgNbd(r=0.525, alpha=6.183, a=0.891, b=1.614, fit=NO_FIT),
    "pareto_nbd": ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.668, fit=NO_FIT),
}


@pytest.fixture(scope="module")
def cdnow(shared_data):
    """Events of the 2,357 customers."""
    path = shared_data / "cdnow" / "CDNOW_sample.txt"
    if not path.is_file():
        pytest.skip("the CDNOW sample is not beside this checkout")
    rows = pd.read_csv(path, sep=r"\s+", header=None, names=["master", "id", "day", "cds", "amount"], dtype=str)
    return pd.DataFrame(
        {
            "customer_id": rows["id"],
            "ts": pd.to_datetime(rows["day"], format="%Y%m%d"),
            "kind": "order",
            "amount": rows["amount"].astype(float),
            "value": np.nan,
        }
    )


@pytest.fixture(scope="module")
def calibration(cdnow):
    return summarise(cdnow, "1997-09-30")


# Published: BG/NBD and Pareto/NBD in Fader, Hardie & Lee 2005; MBG/NBD in Batislam et al. 2007 (and its R packages).
PUBLISHED = {
    "bg_nbd": ({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, -9582.4),
    "mbg_nbd": ({"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}, -9582.1),
    "pareto_nbd": ({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.67}, -9595.0),
    "nbd": ({"r": 0.385, "alpha": 12.07}, -9763.7),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameters_to_the_printed_digit(calibration, name):
    fit = FITS[name](calibration["x"], calibration["t_x"], calibration["T"])
    parameters, log_likelihood = PUBLISHED[name]
    for parameter, value in parameters.items():
        half_digit = 0.5 * 10.0 ** -len(str(value).partition(".")[2])
        assert fit.parameters[parameter] == pytest.approx(value, abs=1.05 * half_digit), parameter
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=0.05)
    assert fit.fit.converged
    assert all(
        0.0 < error < value for error, value in zip(fit.standard_errors.values(), fit.parameters.values(), strict=True)
    )


def test_published_gamma_gamma(calibration):
    repeaters = calibration[calibration["x"] > 0]
    fit = fit_gamma_gamma(repeaters["x"], repeaters["mean_amount"])
    assert len(repeaters) == 946
    assert (round(fit.p, 2), round(fit.q, 2)) == (6.25, 3.74)
    assert fit.gamma == pytest.approx(15.44, abs=0.015)
    assert fit.log_likelihood == pytest.approx(-4055.9, abs=0.05)
    # Fader & Hardie 2013, table: 1 transaction of 22.35 on average twice -> 24.66
    assert fit.expected_spend([0], [np.nan])[0] == pytest.approx(fit.mean)


def test_counts_of_the_sample(calibration):
    assert len(calibration) == 2357
    assert calibration["x"].sum() == 2457
    assert (calibration["x"] == 0).mean() == pytest.approx(0.599, abs=0.0005)


def test_conditional_expectations_by_frequency(cdnow, calibration):
    fit = fit_bg_nbd(calibration["x"], calibration["t_x"], calibration["T"])
    expected = fit.expected_purchases(39.0, calibration["x"], calibration["t_x"], calibration["T"])
    later = cdnow[cdnow["ts"] > "1997-09-30"].drop_duplicates(["customer_id", "ts"]).groupby("customer_id").size()
    actual = later.reindex(calibration["customer_id"], fill_value=0).to_numpy()
    group = np.minimum(calibration["x"], 7)
    assert actual.sum() == 1882
    assert expected.sum() == pytest.approx(1653, abs=1.0)
    assert np.corrcoef(expected, actual)[0, 1] == pytest.approx(0.626, abs=0.0005)
    told = pd.Series(expected).groupby(group).mean().round(2).tolist()
    assert told == pytest.approx([0.23, 0.52, 1.04, 1.52, 2.16, 2.65, 3.50, 6.16], abs=0.006)


# --- laws ---

positive = st.floats(0.05, 50.0)
history = st.tuples(st.integers(0, 60), st.floats(0.01, 1.0), st.floats(0.1, 200.0))


def one(drawn):
    x, part, T = drawn
    return as_given([x], [part * T if x else 0.0], [T])


LIKELIHOODS = {
    "bg_nbd": (lambda p, h: beta_geometric.log_likelihood(p, h, 0), 4),
    "mbg_nbd": (lambda p, h: beta_geometric.log_likelihood(p, h, 1), 4),
    "pareto_nbd": (pareto_nbd.log_likelihood, 4),
    "nbd": (nbd.log_likelihood, 2),
    "gamma_gamma": (lambda p, h: gamma_gamma.log_likelihood(p, h.x + 1.0, h.T, h.weight), 3),
}


@pytest.mark.parametrize("name", LIKELIHOODS)
@given(drawn=history, parameters=st.tuples(positive, positive, positive, positive))
@example(drawn=(0, 1.0, 1.0), parameters=(1.0, 2.0, 6.0, 0.125))
@settings(max_examples=60, deadline=None)
def test_gradients_are_those_of_the_likelihood(name, drawn, parameters):
    likelihood, count = LIKELIHOODS[name]
    h, p = one(drawn), np.array(parameters[:count])
    _, slope = likelihood(p, h)
    for j in range(count):
        step = 1e-5 * p[j] * np.eye(count)[j]
        numeric = (likelihood(p + step, h)[0] - likelihood(p - step, h)[0]) / (2e-5 * p[j])
        assert slope[j] * p[j] == pytest.approx(numeric * p[j], rel=1e-4, abs=1e-5 * (1.0 + drawn[0]))


def textbook_pareto(parameters, x, t_x, T):
    """Fader & Hardie 2005, "A Note on Deriving the Pareto/NBD Model", with its two branches."""
    r, alpha, s, beta = parameters
    top, low = max(alpha, beta), min(alpha, beta)
    b, c = (s + 1.0 if alpha >= beta else r + x), r + s + x + 1.0

    def piece(t):
        z = (top - low) / (top + t)
        return special.hyp2f1(r + s + x, b, c, z) / (top + t) ** (r + s + x)

    a0 = piece(t_x) - piece(T)
    inside = (alpha + T) ** -(r + x) * (beta + T) ** -s + s / (r + s + x) * a0
    return special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(inside)


@given(
    drawn=st.tuples(st.integers(0, 25), st.floats(0.05, 0.95), st.floats(1.0, 100.0)),
    parameters=st.tuples(*[st.floats(0.2, 20.0)] * 4),
)
@settings(max_examples=100, deadline=None)
def test_pareto_nbd_is_the_textbook_one_on_both_branches(drawn, parameters):
    h = one(drawn)
    told, _ = pareto_nbd.log_likelihood(np.array(parameters), h)
    assert told == pytest.approx(textbook_pareto(parameters, h.x[0], h.t_x[0], h.T[0]), rel=1e-7, abs=1e-7)


@given(
    drawn=st.tuples(st.integers(0, 300), st.floats(0.0, 0.999), st.floats(1.0, 400.0)),
    parameters=st.tuples(st.floats(0.05, 20.0), st.floats(0.05, 300.0), st.floats(0.05, 20.0), st.floats(0.05, 300.0)),
)
@settings(max_examples=60, deadline=None)
def test_the_integral_is_that_of_adaptive_quadrature(drawn, parameters):
    h, (r, alpha, s, beta) = one(drawn), parameters
    a, b = alpha + h.t_x[0], beta + h.t_x[0]

    def integrand(w):  # over log(u - t_x), both bases 1 at t_x
        u = np.exp(w)
        return u * np.exp(-(r + h.x[0]) * np.log1p(u / a) - (s + 1.0) * np.log1p(u / b))

    reference, _ = integrate.quad(integrand, -40.0, np.log(h.T[0] - h.t_x[0]), limit=500, epsabs=0.0, epsrel=1e-10)
    told = pareto_nbd.log_integral(np.array(parameters), h)[0]
    assert told + (r + h.x[0]) * np.log(a) + (s + 1.0) * np.log(b) == pytest.approx(np.log(reference), abs=1e-8)


@pytest.mark.parametrize("name", MODELS)
@given(drawn=history, horizon=st.floats(0.0, 500.0))
@settings(max_examples=80, deadline=None)
def test_expectations_are_plausible_for_any_history(name, drawn, horizon):
    fit, h = MODELS[name], one(drawn)
    alive = fit.p_alive(h.x, h.t_x, h.T)[0]
    expected = fit.expected_purchases([0.0, horizon, horizon + 1.0], h.x, h.t_x, h.T)
    rate = (fit.r + h.x[0]) / (fit.alpha + h.T[0])
    assert 0.0 <= alive <= 1.0
    assert expected[0] == pytest.approx(0.0, abs=1e-9)
    assert -1e-9 <= expected[1] <= expected[2] + 1e-9
    assert expected[1] <= rate * horizon * alive * (1.0 + 1e-9) + 1e-9  # never more than without drop-out


@pytest.mark.parametrize("name", MODELS)
def test_an_expectation_is_the_simulated_mean(name):
    """New customers, simulated from the story of each model."""
    fit, chance, n, horizon = MODELS[name], np.random.default_rng(5), 40_000, 30.0
    rate = chance.gamma(fit.r, 1.0 / fit.alpha, n)
    if name == "pareto_nbd":
        life = chance.exponential(1.0, n) / chance.gamma(fit.s, 1.0 / fit.beta, n)
        counts = chance.poisson(rate * np.minimum(life, horizon))
    else:
        drop, counts, clock = chance.beta(fit.a, fit.b, n), np.zeros(n), np.zeros(n)
        live = chance.random(n) >= drop if name == "mbg_nbd" else np.ones(n, dtype=bool)
        while live.any():
            clock[live] += chance.exponential(1.0 / rate[live])
            live &= clock <= horizon
            counts += live
            live &= chance.random(n) >= drop
    told = fit.expected_purchases(horizon)[0]
    assert counts.mean() == pytest.approx(told, abs=4.0 * counts.std() / np.sqrt(n))


@pytest.mark.parametrize("name", sorted(FITS))
def test_known_parameters_are_found_again(name):
    """10,000 simulated Pareto/NBD customers: that model within 4 standard errors; the others fit no better."""
    x, t_x, T = simulated_pareto(10_000, seed=1)
    fit = FITS[name](x, t_x, T)
    assert fit.fit.converged
    if name == "pareto_nbd":
        for parameter, value in zip(("r", "alpha", "s", "beta"), (0.6, 10.0, 0.8, 15.0), strict=True):
            assert abs(fit.parameters[parameter] - value) < 4.0 * fit.standard_errors[parameter], parameter
    else:
        assert fit.log_likelihood < fit_pareto_nbd(x, t_x, T).log_likelihood + 2.0


def simulated_pareto(n, seed):
    r, alpha, s, beta = 0.6, 10.0, 0.8, 15.0
    chance = np.random.default_rng(seed)
    T = chance.uniform(20.0, 60.0, n)
    rate, drop = chance.gamma(r, 1.0 / alpha, n), chance.gamma(s, 1.0 / beta, n)
    watched = np.minimum(chance.exponential(1.0, n) / drop, T)
    x = chance.poisson(rate * watched)
    last = watched * chance.random(n) ** (1.0 / np.maximum(x, 1))  # the largest of x uniforms
    return x.astype(float), np.where(x > 0, last, 0.0), T


def test_weights_stand_for_customers():
    x, t_x, T = simulated_pareto(400, seed=2)
    twice = fit_mbg_nbd(np.tile(x, 2), np.tile(t_x, 2), np.tile(T, 2))
    weighted = fit_mbg_nbd(x, t_x, T, weights=np.full(400, 2.0))
    assert weighted.parameters == twice.parameters
    assert weighted.log_likelihood == twice.log_likelihood


def test_the_order_of_customers_does_not_matter():
    x, t_x, T = simulated_pareto(500, seed=3)
    back = slice(None, None, -1)
    assert fit_pareto_nbd(x, t_x, T).parameters == fit_pareto_nbd(x[back], t_x[back], T[back]).parameters


def test_many_rows_give_the_answer_of_all_of_them():
    """Above 20,000 rows the starts compete on a part; the answer is still that of the whole."""
    x, t_x, T = simulated_pareto(30_000, seed=4)
    whole = fit_bg_nbd(x, t_x, T)
    h = histories(x, t_x, T)
    _, slope = beta_geometric.log_likelihood(np.array(list(whole.parameters.values())), h, 0)
    assert np.abs(slope * np.array(list(whole.parameters.values()))).max() < 0.05  # of a log-likelihood of some 100,000


def test_a_penalty_pulls_to_where_it_is_told():
    x, t_x, T = simulated_pareto(60, seed=6)
    toward = {"r": 1.0, "alpha": 20.0}
    free, held = fit_nbd(x, t_x, T), fit_nbd(x, t_x, T, l2=1e6, toward=toward)
    between = fit_nbd(x, t_x, T, l2=5.0, toward=toward)
    assert held.parameters == pytest.approx(toward, rel=1e-3)
    assert min(free.r, 1.0) < between.r < max(free.r, 1.0)
    assert held.log_likelihood < between.log_likelihood < free.log_likelihood


def test_small_segments_lean_on_everybody():
    x, t_x, T = simulated_pareto(3_000, seed=7)
    labels = np.array(["large"] * 2_960 + ["small"] * 40)
    found = fit_by_segment(fit_mbg_nbd, {"x": x, "t_x": t_x, "T": T}, labels)
    alone = fit_mbg_nbd(x[-40:], t_x[-40:], T[-40:])
    centre = np.log(list(found.everybody.parameters.values()))

    def away(fit):
        return np.abs(np.log(list(fit.parameters.values())) - centre).max()

    assert found.leaning == ("small",)
    assert away(found.segments["small"]) < min(away(alone), 1.5)


@pytest.mark.parametrize(
    ("x", "t_x", "T", "field"),
    [
        ([1.5], [1.0], [2.0], "x = 1.5"),
        ([-1], [0.0], [2.0], "x = -1.0"),
        ([1], [3.0], [2.0], "t_x = 3.0"),
        ([0], [1.0], [2.0], "t_x = 1.0"),
        ([1], [np.nan], [2.0], "t_x = nan"),
        ([1], [1.0], [np.inf], "T = inf"),
        ([1, 2], [1.0], [2.0], "x, t_x, T, weights"),
        ([], [], [], "x, t_x, T, weights"),
    ],
)
def test_histories_that_cannot_be_are_refused(x, t_x, T, field):
    with pytest.raises(DataError, match=field):
        fit_mbg_nbd(x, t_x, T)


def test_a_penalty_toward_nothing_known_is_refused():
    with pytest.raises(SpecError, match=r"toward\['alpha'\]"):
        fit_nbd([1, 2], [1, 2], [3, 3], l2=1.0, toward={"r": 1.0, "alhpa": 2.0})
    with pytest.raises(SpecError, match="l2"):
        fit_nbd([1, 2], [1, 2], [3, 3], l2=-1.0)


@pytest.mark.parametrize(("x", "m"), [([0], [3.0]), ([1], [0.0]), ([1], [np.nan]), ([], [])])
def test_spending_that_cannot_be_is_refused(x, m):
    with pytest.raises(DataError):
        fit_gamma_gamma(x, m)


def test_gamma_gamma_finds_known_parameters_again():
    chance, n, p, q, gamma = np.random.default_rng(8), 20_000, 4.0, 5.0, 30.0
    x = chance.integers(1, 8, n)
    m = chance.gamma(p * x, 1.0) / (chance.gamma(q, 1.0 / gamma, n) * x)
    fit = fit_gamma_gamma(x, m)
    for name, value in {"p": p, "q": q, "gamma": gamma}.items():
        assert abs(fit.parameters[name] - value) < 4.0 * fit.standard_errors[name], name
    assert fit.expected_spend(x, m).mean() == pytest.approx(fit.mean, rel=0.02)
    assert (np.abs(fit.expected_spend([1000], [80.0]) - 80.0) < 0.5).all()


def test_distinct_rows_and_where_each_row_is_among_them():
    columns, place = distinct(np.array([2.0, 1.0, 2.0, 1.0]), np.array([5.0, 7.0, 5.0, 6.0]))
    assert [column.tolist() for column in columns] == [[1.0, 1.0, 2.0], [6.0, 7.0, 5.0]]
    assert place.tolist() == [2, 1, 2, 0]


@pytest.mark.parametrize("fit", [fit_bg_nbd, fit_mbg_nbd])
def test_orders_to_come_are_the_same_asked_together_and_one_by_one(fit):
    chance = np.random.default_rng(3)
    x = chance.poisson(2.0, 400).astype(float)
    T = chance.integers(10, 40, 400).astype(float)
    t_x = np.where(x > 0, np.floor(T * chance.random(400)), 0.0)
    model = fit(x, t_x, T)
    alone = [model.expected_purchases(12.0, *one).item() for one in zip(x, t_x, T, strict=True)]
    assert model.expected_purchases(12.0, x, t_x, T).tolist() == alone

"""Sequential estimators: golden values, arrays worked out by hand, laws; trajectories; distributions of returns."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from campaignrl.errors import DataError, SupportError, UsageError
from campaignrl.ope.data.trajectories import ENDED, next_rows, trajectories
from campaignrl.ope.episodes.return_distribution import distribution_of
from campaignrl.ope.episodes.support_horizon import curve_of, lasting_steps
from campaignrl.ope.estimators import sequential

# ---------------------------------------------------------------- golden values: a log without a random generator
N, T, G = 300, 3, 0.9


@pytest.fixture(scope="module")
def golden():
    """weight, reward, predicted, expected (N, T) of the log of 300 trajectories."""
    j = np.arange(N * T)
    u, v = ((j + 1) * (math.sqrt(5) - 1) / 2) % 1, ((j + 1) * math.sqrt(2)) % 1
    logged, wanted = 0.3 + 0.4 * ((j % 5) / 4), 0.2 + 0.6 * ((j % 3) / 2)
    action = (u >= 1 - logged).astype(int)
    true = np.stack([0.2 + 0.1 * (j % 3), 0.5 + 0.1 * ((j + 1) % 3)], axis=1)
    reward, q = (v < true[j, action]).astype(float), 0.9 * true + 0.05
    pb, pe = np.stack([1 - logged, logged], axis=1), np.stack([1 - wanted, wanted], axis=1)
    parts = (pe / pb)[j, action], reward, q[j, action], (pe * q).sum(axis=1)
    return [part.reshape(N, T) for part in parts]


def test_golden_mean_weights(golden):
    mean = sequential.cumulative_weights(golden[0]).mean(axis=0)
    assert mean == pytest.approx([1.01071, 1.03639, 0.85338], abs=5e-6)


@pytest.mark.parametrize(
    ("name", "value", "model"),
    [
        ("tis", 0.976489071555, False),
        ("pdis", 1.148847222222, False),
        ("sdr", 1.159017023243, True),
        ("sntis", 1.144259784, False),
        ("wpdis", 1.186740795, False),
        ("wdr", 1.142687811, True),
    ],
)
def test_golden_values(golden, name, value, model):
    found = getattr(sequential, name)(*(golden if model else golden[:2]), discount=G)
    assert found.value == pytest.approx(value, abs=1e-9)
    assert found.influence.mean() == pytest.approx(0.0, abs=1e-12)


def test_golden_direct_method(golden):
    assert sequential.dm(golden[3]).value == pytest.approx(0.302, abs=1e-12)


# ---------------------------------------------------------------- by hand: two trajectories of two steps
WEIGHT = np.array([[2.0, 0.5], [0.0, 3.0]])  # W = [[2, 1], [0, 0]]
REWARD = np.array([[1.0, 4.0], [5.0, 7.0]])
PREDICTED = np.array([[2.0, 3.0], [1.0, 1.0]])
EXPECTED = np.array([[1.0, 2.0], [3.0, 5.0]])


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("tis", (1 * (1 + 0.5 * 4) + 0) / 2),
        ("sntis", 1 + 0.5 * 4),  # all weight is on the first
        ("pdis", (2 * 1 + 0.5 * 1 * 4) / 2),
        ("wpdis", 1 + 0.5 * 4),
        # first: 2 (1 - 2) + 1 + .5 [1 (4 - 3) + 2 x 2] = 1.5; second: 0 + 3 + .5 [0 + 0] = 3
        ("sdr", (1.5 + 3) / 2),
        # step 1: -1 + (1 + 3) / 2 = 1; step 2: 1 + 2 = 3, halved
        ("wdr", 1 + 0.5 * 3),
    ],
)
def test_by_hand(name, by_hand):
    model = (PREDICTED, EXPECTED) if name in ("sdr", "wdr") else ()
    assert getattr(sequential, name)(WEIGHT, REWARD, *model, discount=0.5).value == pytest.approx(by_hand)


def test_msis_by_hand():
    ratio = np.array([[1.0, 0.5], [1.0, 2.0]])  # rho w = [[2, .25], [0, 6]]
    expected = 1 + 0.5 * (0.25 * 4 + 6 * 7) / 6.25
    assert sequential.msis(ratio, WEIGHT, REWARD, 0.5).value == pytest.approx(expected)


def test_wdr_corrected_for_one_step_stops_at_the_model():
    # V(s_0) = 2 on average, corrected: ratio-weighted (r - Q + g V(s_1)) = 1 - 2 + .5 x 2 = 0
    assert sequential.wdr(WEIGHT, REWARD, PREDICTED, EXPECTED, 0.5, corrected=1).value == pytest.approx(2.0)
    assert sequential.wdr(WEIGHT, REWARD, PREDICTED, EXPECTED, 0.5, corrected=0).value == pytest.approx(2.0)


def test_nothing_left_to_weigh_is_not_a_number():
    assert math.isnan(sequential.wpdis(np.zeros((3, 2)), np.ones((3, 2))).value)


# ---------------------------------------------------------------- laws
few = settings(max_examples=40, deadline=None)  # each example is a handful of small arrays
SHAPE = st.tuples(st.integers(2, 8), st.integers(1, 5))


def _floats(low, high):
    return st.floats(low, high, allow_nan=False, width=32)


@st.composite
def logs(draw):
    shape = draw(SHAPE)
    weight = draw(arrays(float, shape, elements=_floats(0.125, 4)))
    reward, q, v = (draw(arrays(float, shape, elements=_floats(-5, 5))) for _ in range(3))
    return weight, reward, q, v, draw(st.sampled_from([0.5, 0.9, 1.0]))


@few
@given(logs())
def test_the_logging_policy_is_worth_its_own_mean(log):
    _, reward, q, _, g = log
    ones, mean = np.ones_like(reward), sequential.returns(reward, g).mean()
    for name in ("tis", "sntis", "pdis", "wpdis"):
        assert getattr(sequential, name)(ones, reward, g).value == pytest.approx(mean, abs=1e-9)
    # with V = Q of what was done, model errors cancel
    for name in ("sdr", "wdr"):
        assert getattr(sequential, name)(ones, reward, q, q, g).value == pytest.approx(mean, abs=1e-9)


@few
@given(logs())
def test_self_normalised_estimates_stay_inside(log):
    weight, reward, _, _, g = log
    returns, tiny = sequential.returns(reward, g), 1e-6
    assert returns.min() - tiny <= sequential.sntis(weight, reward, g).value <= returns.max() + tiny
    steps = g ** np.arange(reward.shape[1])
    value = sequential.wpdis(weight, reward, g).value
    assert (reward.min(axis=0) * steps).sum() - tiny <= value <= (reward.max(axis=0) * steps).sum() + tiny


@few
@given(logs(), _floats(-3, 3))
def test_a_constant_reward_is_found_exactly_by_self_normalisation(log, constant):
    weight, reward, _, _, g = log
    expected = constant * (g ** np.arange(reward.shape[1])).sum()
    assert sequential.wpdis(weight, np.full_like(reward, constant), g).value == pytest.approx(expected, abs=1e-9)


@few
@given(logs())
def test_a_perfect_model_needs_no_correction(log):
    """Deterministic rewards and changes: r = Q - g V' along every trajectory."""
    weight, _, q, v, g = log
    after = np.concatenate([v[:, 1:], np.zeros((len(v), 1))], axis=1)
    reward = q - g * after
    for corrected in range(v.shape[1] + 1):
        found = sequential.wdr(weight, reward, q, v, g, corrected).value
        expected = _by_steps(weight, reward, q, v, g, corrected)
        assert found == pytest.approx(expected, abs=1e-8)
    assert sequential.sdr(weight, reward, q, v, g).value == pytest.approx(v[:, 0].mean(), abs=1e-8)


def _by_steps(weight, reward, q, v, g, corrected):
    """The same estimator written as Thomas & Brunskill write it, trajectory by trajectory."""
    W, total = np.cumprod(weight, axis=1), 0.0
    share = W / W.sum(axis=0)
    before = np.concatenate([np.full((len(W), 1), 1 / len(W)), share[:, :-1]], axis=1)
    for i in range(len(W)):
        for t in range(W.shape[1]):
            if t < corrected:
                total += g**t * (share[i, t] * (reward[i, t] - q[i, t]))
            if t <= corrected:
                total += g**t * before[i, t] * v[i, t]
    return total


@few
@given(logs())
def test_an_ended_step_changes_nothing(log):
    weight, reward, q, v, g = log
    longer = [np.concatenate([part, np.full((len(part), 1), end)], axis=1) for part, end in
              ((weight, 1.0), (reward, 0.0), (q, 0.0), (v, 0.0))]  # fmt: skip
    for name, count in (("tis", 2), ("sntis", 2), ("pdis", 2), ("wpdis", 2), ("sdr", 4), ("wdr", 4)):
        same = getattr(sequential, name)
        assert same(*longer[:count], discount=g).value == pytest.approx(
            same(*(weight, reward, q, v)[:count], discount=g).value, abs=1e-9
        )


@few
@given(logs())
def test_influences_are_the_derivative(log):
    """Value of the sample with trajectory i counted once more moves by influence_i / N, to first order."""
    weight, reward, q, v, g = log
    n, small = len(weight), 1e-5
    for name, count in (("sntis", 2), ("wpdis", 2), ("wdr", 4)):
        parts = (weight, reward, q, v)[:count]
        found = getattr(sequential, name)(*parts, discount=g)
        assert found.influence.mean() == pytest.approx(0.0, abs=1e-8)
        assert _recounted(name, parts, g, small) - found.value == pytest.approx(
            small * found.influence[0] / n, abs=2e-7
        )


def _recounted(name, parts, g, extra):
    """The estimator with the first trajectory counted 1 + extra times and the sample's size made 1 again."""
    count = np.ones(len(parts[0]))
    count[0] += extra
    count /= count.mean()
    W = np.cumprod(parts[0], axis=1)
    W_before = np.concatenate([np.ones((len(W), 1)), W[:, :-1]], axis=1)

    def ratio(w, x):
        return (count @ (w * x)) / (count @ w)

    if name == "sntis":
        return ratio(W[:, -1], sequential.returns(parts[1], g))
    value = 0.0
    for t in range(W.shape[1]):
        if name == "wpdis":
            value += g**t * ratio(W[:, t], parts[1][:, t])
        else:
            value += g**t * (ratio(W[:, t], parts[1][:, t] - parts[2][:, t]) + ratio(W_before[:, t], parts[3][:, t]))
    return value


# ---------------------------------------------------------------- the distribution of returns
def test_the_distribution_ends_at_one_and_its_mean_is_sntis(golden):
    weight, reward = golden[:2]
    W, returns = np.prod(weight, axis=1), sequential.returns(reward, G)
    assert W.mean() == pytest.approx(0.853, abs=5e-4)  # where an unnormalised curve would end
    found = distribution_of(returns, W)
    assert found.reached[-1] == 1.0
    assert (np.diff(found.value) > 0).all()
    assert (np.diff(found.reached) >= 0).all()
    assert found.mean == pytest.approx(sequential.sntis(weight, reward, G).value, abs=1e-12)


def test_quantiles_and_worst_part_by_hand():
    found = distribution_of(np.array([10.0, 0.0, 20.0, 0.0]), np.array([1.0, 1.0, 2.0, 0.0]))
    assert found.value.tolist() == [0.0, 10.0, 20.0]
    assert found.reached.tolist() == [0.25, 0.5, 1.0]
    assert [found.quantile(share) for share in (0.1, 0.25, 0.3, 0.5, 0.51, 1.0)] == [0, 0, 10, 10, 20, 20]
    assert found.cvar(0.25) == 0.0
    assert found.cvar(0.5) == pytest.approx(5.0)
    assert found.cvar(0.75) == pytest.approx((0.25 * 0 + 0.25 * 10 + 0.25 * 20) / 0.75)


@few
@given(arrays(float, 6, elements=_floats(-9, 9)), arrays(float, 6, elements=_floats(0.125, 4)), _floats(0.0625, 1))
def test_worst_part_is_below_the_mean_and_the_quantile(outcome, weight, share):
    found = distribution_of(outcome, weight)
    assert found.cvar(1.0) == pytest.approx(found.mean, abs=1e-9)
    assert found.cvar(share) <= min(found.mean, found.quantile(share)) + 1e-9
    assert distribution_of(outcome + 1.0, weight).cvar(share) == pytest.approx(found.cvar(share) + 1.0, abs=1e-6)


def test_no_weight_has_no_distribution():
    with pytest.raises(SupportError):
        distribution_of(np.ones(3), np.zeros(3))
    with pytest.raises(UsageError, match="share"):
        distribution_of(np.ones(3), np.ones(3)).quantile(0.0)


# ---------------------------------------------------------------- where the log runs out
ALL = np.ones((2, 400, 4), dtype=bool)  # everybody goes on and has a choice


def test_customers_without_a_choice_do_not_hide_that_nobody_else_is_left():
    weight = np.ones((400, 4))
    weight[:200, 2] = 0.0  # the 200 with a choice are gone at step 3; 200 others keep weighing 1
    choice = np.zeros((400, 4), dtype=bool)
    choice[:200, 1:] = True
    curve = curve_of(sequential.cumulative_weights(weight), None, ALL[0], choice)
    assert [step.choosing for step in curve] == [0, 200, 200, 200]
    assert [step.ess for step in curve] == [400, 200, 0, 0]
    assert lasting_steps(curve) == 2


def test_missing_weight_ends_what_lasts():
    weight = np.ones((400, 4))
    weight[:200, 1] = 0.0  # 200 effective customers are left, but only half of the weight
    assert lasting_steps(curve_of(sequential.cumulative_weights(weight), None, *ALL)) == 1


def test_lasting_steps_stop_at_the_first_gap():
    weight = np.ones((400, 4))
    weight[:, 1] = np.where(np.arange(400) < 50, 8.0, 0.0)  # 50 effective
    weight[:, 2:] = 1.0
    curve = curve_of(sequential.cumulative_weights(weight), None, *ALL)
    assert [step.ess for step in curve] == pytest.approx([400, 50, 50, 50])
    assert lasting_steps(curve) == 1
    assert lasting_steps(curve_of(np.ones((400, 4)), None, *ALL)) == 4


def test_one_heavy_trajectory_ends_what_lasts():
    heavy = np.ones((1000, 1))
    heavy[0] = 300.0  # 23 % of the weight, but an effective sample size below 100 too; so compare shares
    ones = np.ones((1000, 1), dtype=bool)
    curve = curve_of(heavy, None, ones, ones)
    assert curve[0].max_weight_share == pytest.approx(300 / 1299)
    assert lasting_steps(curve) == 0


# ---------------------------------------------------------------- trajectories
def _decisions(shop, customer, step):
    """A log whose rows are of the given customers and steps."""
    log = shop.log(3 * len(customer), masked=False).take(np.arange(len(customer)))
    object.__setattr__(log, "customer", np.array(customer))
    object.__setattr__(log, "step", np.array(step))
    object.__setattr__(log, "day", np.array(step))
    return log


def test_rows_are_aligned_in_any_order(shop):
    log = _decisions(shop, [2, 0, 0, 2, 2, 1], [1, 0, 1, 0, 2, 0])
    paths = trajectories(log)
    assert paths.row.tolist() == [[1, 2, ENDED], [5, ENDED, ENDED], [3, 0, 4]]
    assert paths.customer.tolist() == [0, 1, 2]
    assert paths.aligned(np.arange(6.0), -9.0).tolist() == [[1, 2, -9], [5, -9, -9], [3, 0, 4]]
    assert next_rows(log).tolist() == [4, 2, ENDED, 0, ENDED, ENDED]
    assert trajectories(log, 1).row.tolist() == [[1], [5], [3]]


@pytest.mark.parametrize("steps", [[0, 2, 0], [1, 2, 0], [0, 0, 0]])
def test_a_gap_is_an_error_with_its_rows(shop, steps):
    with pytest.raises(DataError, match=r"decision log rows? .*step"):
        trajectories(_decisions(shop, [0, 0, 1], steps))


@pytest.mark.parametrize("horizon", [0, -1, 3])
def test_a_horizon_must_lie_within_the_episodes(shop, horizon):
    with pytest.raises(UsageError, match="from 1 to 2"):
        trajectories(_decisions(shop, [0, 0, 1], [0, 1, 0]), horizon)

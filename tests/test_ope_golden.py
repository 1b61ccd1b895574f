"""Golden values of a log made without a random generator, computed once by the public tools named at each value."""

import math

import numpy as np
import pytest
import textbook_bounds as bounds

from campaignrl.actions import Catalog
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.estimators import bandit, weights
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.intervals.clustered import Clusters
from campaignrl.ope.intervals.confidence_sequences import anytime_bounds
from campaignrl.ope.intervals.empirical_likelihood import PairSums, cressie_read, cressie_read_point
from campaignrl.ope.methods import shrinkage as tuning
from campaignrl.ope.streaming import evaluate_stream
from campaignrl.tables.log import DecisionLog

N, K = 2000, 4


def _rows_of(a: int, b: int) -> np.ndarray:
    i, k = np.arange(N)[:, None], np.arange(K)[None, :]
    base = 1.0 + (a + i * (b + 2 * k) + k * k) % 11
    return base / base.sum(axis=1, keepdims=True)


I = np.arange(N)  # noqa: E741  the letter of the formulas
LOGGING, TARGET = _rows_of(3, 7), _rows_of(5, 4)
U, V = ((I + 1) * (math.sqrt(5) - 1) / 2) % 1, ((I + 1) * math.sqrt(2)) % 1
ACTION = (np.cumsum(LOGGING, axis=1) < U[:, None]).sum(axis=1)
TRUE = 0.05 + 0.08 * np.arange(K) + 0.10 * ((I[:, None] + np.arange(K)) % 3)
R = (TRUE[I, ACTION] > V).astype(float)
Q = 0.8 * TRUE + 0.02
W = TARGET[I, ACTION] / LOGGING[I, ACTION]
PREDICTED, EXPECTED = Q[I, ACTION], (TARGET * Q).sum(axis=1)
OFFER = np.array([0, 0, 1, 1])[ACTION]  # actions 0 and 1 share an offer, 2 and 3 another
PAIRED = [p.reshape(N, 2, 2).sum(axis=2)[I, OFFER] for p in (TARGET, LOGGING)]
MARGINAL = PAIRED[0] / PAIRED[1]
MODEL = (R, PREDICTED, EXPECTED)


def test_the_log_is_the_documented_one():
    assert np.bincount(ACTION).tolist() == [479, 438, 645, 438]
    assert R.mean() == 0.2745
    assert (TARGET * TRUE).sum(axis=1).mean() == pytest.approx(0.268380077247, abs=1e-12)


# ---- through the verb, held whole and read in pieces

CATALOG = Catalog.from_names(["a@email", "a@sms", "b@email", "b@sms"])  # after `none`, which is never logged or wanted
WITHOUT_NONE = [np.pad(x, ((0, 0), (1, 0))) for x in (TARGET, Q)]
USUAL = ("dm", "ips", "ips_clip", "snips", "dr", "sndr", "dros", "switch_dr")


def decision_log(larger=1.0, propensity=None, **changes):
    """The log whose weights are `larger` times what they are: its propensities are so many times smaller."""
    whole = np.zeros(N, dtype=int)
    fields = {
        "catalog": CATALOG,
        "customers": np.array([f"c{i:04}" for i in range(N)], dtype=object),
        "customer": np.arange(N),
        "context": Context(FeatureSchema((Feature(name="x"),)), {"x": U}),
        "action": ACTION + 1,
        "propensity": LOGGING[I, ACTION] / larger if propensity is None else propensity,
        "reward": R,
        "matured": np.ones(N, dtype=bool),
        **{"step": whole, "day": whole, "cost": whole},
    }
    return DecisionLog(**{**fields, **changes})


def whole(log, names, **words):
    return evaluate(log, WITHOUT_NONE[0], q=WITHOUT_NONE[1], estimators=names, **words).estimates


def in_pieces(log, names):
    return evaluate_stream(log, WITHOUT_NONE[0], model=WITHOUT_NONE[1], estimators=names).estimates


EVALUATED = pytest.mark.parametrize("evaluated", [whole, in_pieces])


# Open Bandit Pipeline 0.5.7. What holds weights back at 10 (dros: 100) holds those of a log with c times the weights
# back at 10 / c (100 / c^2), and makes c times of what the weights make of it.
DM = 0.234704061797
GOLDEN = [
    ("dm", 1.0, DM),
    ("ips", 1.0, 0.258235962067),
    ("snips", 1.0, 0.260362076945),
    ("snips", 4.0, 0.260362076945),
    ("dr", 1.0, 0.260670490323),
    ("sndr", 1.0, 0.260884277782),
    ("sndr", 4.0, 0.260884277782),
    ("ips_clip", 2.0, 2.0 * 0.250531713701),  # cut at 5
    ("sg_ips", 1.0, 0.246854968668),
    ("sg_dr", 1.0, 0.262065022020),
    ("switch_dr", 5.0, DM + 5.0 * (0.258190378408 - DM)),  # left to the model above 2
    ("dros", 10.0 / math.sqrt(3.0), DM + 10.0 / math.sqrt(3.0) * (0.254932179802 - DM)),  # shrunk by 3
]


@EVALUATED
@pytest.mark.parametrize(("name", "larger", "value"), GOLDEN, ids=[f"{name} x{c:.3g}" for name, c, _ in GOLDEN])
def test_estimators(evaluated, name, larger, value):
    assert evaluated(decision_log(larger), (name,))[name].value == pytest.approx(value, abs=1e-10)


@EVALUATED
def test_all_at_once_are_what_each_is_alone(evaluated):
    log = decision_log(3.0)
    together = evaluated(log, USUAL)
    for name in USUAL:
        assert evaluated(log, (name,))[name][:4] == pytest.approx(together[name][:4], rel=1e-12)


@EVALUATED
def test_standard_errors_are_those_of_rows_when_each_is_a_customer(evaluated):
    found, w = evaluated(decision_log(2.0), USUAL), 2.0 * W

    def error(influence):
        return influence.std(ddof=1) / math.sqrt(N)

    residual = w * (R - PREDICTED)
    left, gap = np.where(w > 10.0, 0.0, residual), residual.mean() / w.mean()
    assert found["dm"].std_error == pytest.approx(error(EXPECTED))
    assert found["ips"].std_error == pytest.approx(error(w * R))
    assert found["ips_clip"].std_error == pytest.approx(error(np.minimum(w, 10.0) * R))
    assert found["snips"].std_error == pytest.approx(error(w * (R - (w * R).sum() / w.sum()) / w.mean()))
    assert found["dr"].std_error == pytest.approx(error(EXPECTED + residual))
    assert found["sndr"].std_error == pytest.approx(error(EXPECTED + (residual - gap * w) / w.mean()))
    assert found["dros"].std_error == pytest.approx(error(EXPECTED + residual * 100.0 / (w**2 + 100.0)))
    assert found["switch_dr"].std_error == pytest.approx(error(EXPECTED + left))


@pytest.mark.parametrize(("name", "value"), [("mips_offer", 0.267945305723), ("offcem", 0.268963463203)])
def test_estimators_on_offers(name, value):  # Open Bandit Pipeline 0.5.7
    logging = np.pad(LOGGING, ((0, 0), (1, 0)))
    assert whole(decision_log(), (name,), logging=logging)[name].value == pytest.approx(value, abs=1e-10)


@EVALUATED
def test_empirical_likelihood_of_the_verb_agrees_with_the_vw_estimators(evaluated):
    """They know no largest weight, and a log whose least propensity may be 1e-6 hardly knows one."""
    found = evaluated(decision_log(meta={"propensity_floor": 1e-6}), ("ips", "snips"))
    assert found["ips"][2:4] == found["snips"][2:4] == pytest.approx((0.23107682735, 0.31207565974), abs=2e-6)


# ---- the formulas by themselves, in combinations that no estimator is


@pytest.mark.parametrize(
    ("terms", "value"),  # Open Bandit Pipeline 0.5.7
    [
        (bandit.dr(np.minimum(W, 5.0), *MODEL), 0.263094111741),
        (bandit.ips(bandit.subgaussian(W, 0.1), R), 0.246854968668),
        (bandit.dr(bandit.subgaussian(W, 0.1), *MODEL), 0.262065022020),
        (bandit.snips(MARGINAL, R), 0.266473737097),
    ],
    ids=["dr clipped", "sg-ips", "sg-dr", "mips self-normalised"],
)
def test_formulas(terms, value):
    point = terms.point()
    assert point.value == pytest.approx(value, abs=1e-10)
    assert point.influence.mean() == pytest.approx(0.0, abs=1e-12)


def test_weights():
    assert W.mean() == pytest.approx(0.991834007075, abs=1e-10)
    assert weights.effective_sample_size(W) == pytest.approx(950.184661, abs=1e-6)
    assert weights.max_weight_share(W) * W.sum() == pytest.approx(10.352941, abs=1e-6)


def test_empirical_likelihood_agrees_with_the_vw_estimators():
    sums = PairSums.of(W, W * R)
    unbounded = (0.0, math.inf)
    low, high = cressie_read(sums, bounds.reward_extremes(unbounded, 0.0), bounds.reward_extremes(unbounded, 1.0), 0.05)
    assert (low, high) == pytest.approx((0.23107682735, 0.31207565974), abs=1e-10)
    assert cressie_read_point(sums, *unbounded, float(R.mean())) == pytest.approx(0.260477527125, abs=1e-10)


def test_knowing_the_largest_weight_narrows_the_interval():
    sums = PairSums.of(W, W * R)
    low, high = cressie_read(
        sums, bounds.reward_extremes((0.0, 11.0), 0.0), bounds.reward_extremes((0.0, 11.0), 1.0), 0.05
    )
    assert 0.2310 < low < 0.2684 < high < 0.3120


def test_sums_of_two_parts_of_the_customers_add_up():
    first, second = Clusters(I[:900]), Clusters(I[900:])
    whole = PairSums.of(W, W * R)
    parts = PairSums.of(first.sums(W[:900]), first.sums((W * R)[:900])) + PairSums.of(
        second.sums(W[900:]), second.sums((W * R)[900:])
    )
    assert [parts.n, parts.w, parts.ww, parts.y, parts.wy, parts.yy] == pytest.approx(
        [whole.n, whole.w, whole.ww, whole.y, whole.wy, whole.yy], rel=1e-12
    )


def test_one_row_of_weight_two():
    sums = PairSums.of(np.array([2.0]), np.array([2.0]))  # p 0.3, target 0.6, reward 1
    assert bandit.ips(np.array([2.0]), np.array([1.0])).point().value == 2.0
    assert bandit.snips(np.array([2.0]), np.array([1.0])).point().value == 1.0
    assert cressie_read_point(sums, 0.0, math.inf, 1.0) == pytest.approx(1.0)


def test_one_sided_bounds():  # Open Bandit Pipeline 0.5.7, largest w r 12
    assert bounds.hoeffding_lower(W * R, 12.0, 0.05) == pytest.approx(-0.070163736240, abs=1e-10)
    assert bounds.bernstein_lower(W * R, 12.0, 0.05) == pytest.approx(0.169120910080, abs=1e-10)
    assert bounds.t_lower(W * R, 0.05) == pytest.approx(0.235549902654, abs=1e-10)


def test_textbook_intervals():  # VowpalWabbit/estimators
    assert bounds.gaussian(W * R, 0.05) == pytest.approx((0.23121638235, 0.28525554178), abs=1e-10)
    assert bounds.clopper_pearson(W, R, 0.05) == pytest.approx((0.19808144197, 0.32597003409), abs=1e-10)


def test_maximum_likelihood_point():  # VowpalWabbit/estimators
    assert bounds.maximum_likelihood_point(W, R, 0.0, math.inf) == pytest.approx(0.260477527125, abs=1e-10)


LAMBDAS = (0.1, 1.0, 3.0, 10.0, 100.0, math.inf)


@pytest.mark.parametrize(
    ("hold", "value"),  # Open Bandit Pipeline 0.5.7: SLOPE picks 1 for both, estimated MSE nothing but infinite
    [(bandit.shrunk, 0.249041006327), (bandit.switched, 0.253423360621)],
)
def test_tuning(hold, value):
    def point(setting):
        return bandit.dr(hold(W, setting), *MODEL).point()

    def lost(setting):
        return (W - hold(W, setting)) * (R - PREDICTED)

    picked = {m: tuning.choose(m, LAMBDAS, point, lost, W, Clusters(I)) for m in (tuning.SLOPE, tuning.MSE)}
    assert picked[tuning.SLOPE] == 1.0
    assert point(1.0).value == pytest.approx(value, abs=1e-10)
    assert point(picked[tuning.MSE]).value == point(math.inf).value


def test_the_confidence_sequence_agrees_with_the_vw_estimators():
    low, high = anytime_bounds(W, R, 0.05, looks=np.array([N - 1]))
    assert (low[0], high[0]) == pytest.approx((0.20571096559, 0.35706884557), abs=1e-10)

"""Foreign logs of few rows, and impossible values in them: a figure, a refusal or an error, never a broken run."""

import numpy as np
import pandas as pd
import pytest

from campaignrl.errors import CampaignError, DataError
from campaignrl.ope.evaluate import evaluate
from campaignrl.tables.logs import read_log

MAPPING = '[customer]\ncolumn="id"\n[action]\ncolumn="act"\n[propensity]\ncolumn="p"\n[reward]\ncolumn="r"\n'
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def read(tmp_path):
    def call(frame, mapping=MAPPING):
        frame.to_csv(tmp_path / "log.csv", index=False)
        (tmp_path / "m.toml").write_text(mapping)
        return read_log(tmp_path / "log.csv", tmp_path / "m.toml")

    return call


def frame_of(rows, customers, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"c{i % customers}" for i in range(rows)],
            "act": [("x", "y")[i % 2] for i in range(rows)],
            "p": 0.5,
            "r": rng.integers(0, 3, rows).astype(float),
        }
    )


@pytest.mark.parametrize(("customers", "rows"), [(1, 1), (1, 4), (1, 40), (2, 4), (3, 6), (5, 10), (6, 6), (20, 20)])
def test_few_rows_are_refused_with_reasons(read, customers, rows):
    answer = evaluate(read(frame_of(rows, customers)), "always:x")
    assert answer.verdict == "refuse"
    assert answer.reasons
    low, high = answer.lift_ci_low, answer.lift_ci_high
    assert np.isnan(low) or low <= answer.lift <= high


def test_a_log_without_contexts_gives_the_means_of_its_arms(read):
    frame = frame_of(200, 200)
    answer = evaluate(read(frame), "always:x")
    assert answer.estimates["snips"].value == pytest.approx(frame.r[frame.act == "x"].mean())
    log = read(frame)
    uniform = np.tile([0.0, 0.5, 0.5], (200, 1))
    assert evaluate(log, uniform).estimates["ips"].value == pytest.approx(frame.r.mean())


@pytest.mark.parametrize("p", [0.0, -0.1, 1.5, 1e-320, 1e-150, ""])
def test_56_propensities_that_are_none_are_named_with_their_row(read, p):
    frame = frame_of(200, 200).astype({"p": object})
    frame.loc[3, "p"] = p
    with pytest.raises(DataError, match="row 3: p"):
        read(frame)


def test_56_a_tiny_propensity_is_heard_and_refused(read):
    frame = frame_of(200, 200)
    frame.loc[0, "p"] = 1e-12
    answer = evaluate(read(frame), "always:x")
    assert answer.verdict == "refuse"
    assert any("of the weight" in reason for reason in answer.reasons)


@pytest.mark.parametrize("reward", [1e12, -1e12])
def test_40_one_enormous_reward_is_named(read, reward):
    frame = frame_of(200, 200)
    frame.loc[10, "r"] = reward
    answer = evaluate(read(frame), "always:x")
    assert answer.verdict != "trust"
    assert any("row 10" in reason and "by itself moves" in reason for reason in answer.reasons)
    assert abs(answer.robust["winsorised"].value) < 10


@pytest.mark.parametrize("reward", [1e308, -1e308, "inf", "", "free"])
def test_40_rewards_that_are_none_are_named_with_their_row(read, reward):
    frame = frame_of(200, 200).astype({"r": object})
    frame.loc[5, "r"] = reward
    with pytest.raises(DataError, match="row 5: r"):
        read(frame)


def test_57_an_action_that_was_never_tried_is_refused_with_bounds(read):
    log = read(frame_of(400, 400), MAPPING.replace('column="act"', 'column="act"\nvalues={x="a@b", y="c@b", z="d@b"}'))
    answer = evaluate(log, "always:d@b")
    assert answer.verdict == "refuse"
    assert any("never tried" in reason for reason in answer.reasons)


def test_59_a_single_arm_and_equal_rewards(read):
    frame = frame_of(200, 200)
    frame["act"], frame["p"] = "x", 1.0
    answer = evaluate(read(frame, MAPPING.replace('column="act"', 'column="act"\nnone_offered=false')), "always:x")
    assert answer.estimates["ips"].value == pytest.approx(frame.r.mean())
    frame = frame_of(200, 200)
    frame["r"] = 1.0
    answer = evaluate(read(frame), "always:x")
    assert any("every reward is the same" in reason for reason in answer.reasons)


def test_63_certain_actions_say_nothing_of_others(read):
    frame = frame_of(200, 200)
    frame["p"] = 1.0
    answer = evaluate(read(frame), "always:x")
    assert answer.verdict == "refuse"
    assert np.isnan(answer.estimates["dr"].value)


def test_no_rows_at_all_are_an_error_in_words(read):
    with pytest.raises(CampaignError):
        evaluate(read(frame_of(4, 4).head(0)), "always:x")

"""What is said of rules, histories and counted decisions: nothing left out, nothing that was not asked for."""

import numpy as np
import pytest

from campaignrl.guard import rules_said
from campaignrl.send.history import _text
from campaignrl.send.plans.figures import Figures
from campaignrl.specs import load_world


@pytest.mark.parametrize("days", [None, 90])
def test_a_policy_s_age_is_a_rule_only_where_the_world_says_so(days):
    world = load_world("ecommerce")
    guard = world.guard.model_copy(update={"max_policy_age_days": days})
    said = [
        rule.says for rule in rules_said(world.model_copy(update={"guard": guard})) if rule.rule == "age of the policy"
    ]
    assert said == (
        [] if days is None else [f"no policy whose last outcome that it learned from is over {days} days ago"]
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [("", "unknown"), ("loyal", "loyal"), (None, "unknown"), (float("nan"), "unknown"), (0.5, "0.5"), (0, "0")],
)
def test_a_value_of_a_history_is_told_and_an_empty_one_is_unknown(value, text):
    assert _text(value) == text


def test_counted_decisions_come_back_whole():
    gains = np.array([1.5, -0.5])
    made = Figures(
        customers=3, withdrawn=["d1"], gains=[gains], notes={"ids trimmed": 2}, then=1, new=2, gone=3, other=4
    )
    made.listed["loyal", 2] += 1
    made.decided[2] += 1
    made.blocked["no consent: sms"] += 2
    made.nothing["nothing pays here"] += 2
    again = Figures.from_dict(made.to_dict(), gains)
    assert again.to_dict() == made.to_dict()
    assert (again.withdrawn, again.notes, again.gain) == (["d1"], {"ids trimmed": 2}, 1.0)
    assert (again.then, again.new, again.gone, again.other) == (1, 2, 3, 4)

"""What rules, send lists and policies say is said in Chinese too: every rule and reason, figures and names kept."""

import re

import pytest

import campaignrl as crl
from campaignrl.envs import Panel, customers_frame
from campaignrl.guard import rules_of, rules_said
from campaignrl.service.console.sentences import _shapes, told
from campaignrl.specs import bundled_files, load_world

CHINESE = re.compile(r"[\u4e00-\u9fff]")
FIGURE = re.compile(r"\d[\d,.]*\d|\d")
EVERYTHING = {
    "max_age_days": 3,
    "max_policy_age_days": 90,
    "min_margin": 0.05,
    "quiet_hours": {"from_hour": 21, "to_hour": 9},
    "timezone": "Asia/Shanghai",
    "max_discount_depth": {"at_most": 0.5, "per_days": 30},
    "caps": [{"per_days": 7, "at_most": 2}, {"offer": "content", "per_days": 7, "at_most": 1}],
    "min_gap_days": 2,
}


def worlds():
    found = {name: load_world(name) for name in bundled_files("envs")}
    return [*found.values(), load_world("ecommerce", guard=EVERYTHING)]


def said_in_chinese(text):
    """The text in Chinese, with every figure of the English."""
    chinese = told("zh", text)
    assert CHINESE.search(chinese), text
    assert sorted(FIGURE.findall(chinese)) == sorted(FIGURE.findall(text)), chinese
    assert not re.search(r"\b(the|of|and|who|allowed|would|nobody|every)\b", chinese), chinese
    return chinese


def test_every_rule_of_every_world_and_every_refusal_has_its_chinese():
    every = worlds()
    rules = {rule for world in every for rule in rules_said(world)}
    refusals = {reason for world in every for check in rules_of(world).checks for reason in check.reasons}
    assert len(rules) > 45
    assert len(refusals) > 40
    for rule in rules:
        said_in_chinese(rule.rule)
        if rule.rule == "eligibility":  # the condition stays as the world has it
            assert told("zh", rule.says) == rule.says.replace("only if", "仅当")
        else:
            said_in_chinese(rule.says)
    for refusal in refusals:
        said_in_chinese(refusal)


@pytest.mark.parametrize("allocate", ["lot", "value"])
def test_every_reason_of_a_send_list_has_its_chinese(allocate):
    frame = customers_frame(Panel(load_world("bank"), 400, seed=3))
    policy = "uniform"
    if allocate == "value":
        policy = crl.train("lin_ts", crl.simulate("bank", "uniform", customers=120, seed=1))
    found = crl.decide(policy, frame, "bank", day="2026-11-21", budget=20.0, allocate=allocate)
    texts = set(found.reason) | {one for one in found.blocked if one}
    assert len(texts) > 10
    for text in texts:
        said_in_chinese(text)


RARE = [
    (
        "no capacity: a@sms was chosen, sms is full, and the lot fell to others",
        "容量不足：选中 a@sms，但 sms 已满，抽签轮到了别人",
    ),
    ("no money: a@sms was chosen, this run has no money for it", "预算不足：选中 a@sms，但本次没有这笔预算"),
    ("no money: a@sms would pay here, but others pay more", "预算不足：a@sms 在这里划算，但用在别的客户身上更划算"),
    ("nothing may be sent: suppressed; no consent: sms", "不可发送：在禁发名单上; 未授权：sms"),
    ("cap: 2 in 7 days on all channels", "频次上限：7 天内在 所有渠道 最多 2 次"),
    ("orders were 3 · segment were loyal", "orders 为 3 · segment 为 loyal"),
    ("score over none; of a@sms, which came second", "比不发送高出的得分；针对次优的 a@sms"),
    ("<b>{0}", "<b>{0}"),
]


@pytest.mark.parametrize(("english", "chinese"), RARE)
def test_a_sentence_by_hand(english, chinese):
    assert told("zh", english) == chinese
    assert told("en", english) == english


def test_every_shape_keeps_its_figures_and_is_reached():
    """No shape stands behind one that takes all its sentences."""
    shapes = _shapes()
    for number, (shape, chinese) in enumerate(shapes):
        names = list(shape.groupindex)
        assert sorted(set(re.findall(r"\{(\w+)\}", chinese))) == sorted(names)
        sentence = re.sub(r"\(\?P<(\w+)>\.\+\?\)", lambda found: f"X{found[1]}", shape.pattern)
        sentence = re.sub(r"\\(.)", r"\1", sentence)
        first = next(i for i, (other, _) in enumerate(shapes) if other.fullmatch(sentence))
        assert first == number, f"{sentence!r} is taken by {shapes[first][0].pattern!r}"

"""The catalog: ids that never move, names people can read, a hash that notices every change."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.actions import NONE, NONE_NAME, Action, Catalog, Channel, Offer
from campaignrl.errors import SpecError, UnknownName

OFFERS = (Offer(name="content"), Offer(name="coupon20", kind="coupon", discount=0.2, valid_days=5))
CHANNELS = (Channel(name="push", cost=1), Channel(name="sms", cost=8))
CATALOG = Catalog.product(OFFERS, CHANNELS, [("content", "push"), ("coupon20", "sms"), ("coupon20", "push")])


def test_a_product_begins_with_none_and_keeps_the_order_given():
    assert CATALOG.names == ("none", "content@push", "coupon20@sms", "coupon20@push")
    assert len(CATALOG) == 4
    assert CATALOG.offer_of.tolist() == [-1, 0, 1, 1]
    assert CATALOG.channel_of.tolist() == [-1, 0, 1, 0]
    assert CATALOG.cost_of.tolist() == [0, 1, 8, 1]
    assert [CATALOG.id_of(name) for name in CATALOG.names] == [0, 1, 2, 3]
    assert CATALOG.names[NONE] == NONE_NAME


def test_a_mistyped_action_is_met_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'coupon20@sms'"):
        CATALOG.id_of("coupn20@sms")


names = st.text(st.characters(exclude_characters="@", exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(st.lists(names, min_size=1, max_size=4, unique=True), st.lists(names, min_size=1, max_size=3, unique=True))
@settings(max_examples=20, deadline=None)
def test_a_catalog_in_any_language_survives_json(offers, channels):
    pairs = [(o, c) for o in offers for c in channels]
    catalog = Catalog.product([Offer(name=o) for o in offers], [Channel(name=c, cost=3) for c in channels], pairs)
    again = Catalog.from_dict(json.loads(json.dumps(catalog.to_dict())))
    assert again == catalog
    assert again.hash == catalog.hash
    assert [again.id_of(f"{o}@{c}") for o, c in pairs] == list(range(1, len(catalog)))


def changed():
    """Every single change that must change the hash."""
    content, coupon = OFFERS
    push, sms = CHANNELS
    yield (
        "offer renamed",
        Catalog.product(
            (replace(content, name="news"), coupon),
            CHANNELS,
            [("news", "push"), ("coupon20", "sms"), ("coupon20", "push")],
        ),
    )
    yield "depth", replace(CATALOG, offers=(content, replace(coupon, discount=0.25)))
    yield "validity", replace(CATALOG, offers=(content, replace(coupon, valid_days=6)))
    yield "kind", replace(CATALOG, offers=(content, replace(coupon, kind="gift")))
    yield "cost", replace(CATALOG, channels=(push, replace(sms, cost=9)))
    yield "order of actions", replace(CATALOG, actions=(CATALOG.actions[0], *CATALOG.actions[:0:-1]))
    yield "order of channels", replace(CATALOG, channels=(sms, push))
    yield "an action less", replace(CATALOG, actions=CATALOG.actions[:3])


@pytest.mark.parametrize(("what", "other"), list(changed()), ids=[what for what, _ in changed()])
def test_the_hash_notices_every_change(what, other):
    assert other.hash != CATALOG.hash


def test_the_hash_is_fixed():
    assert CATALOG.hash == "dd719db62d6eebcc"  # travels with logs and bundles of the past


def test_every_mistake_of_a_catalog_is_named_at_once():
    with pytest.raises(SpecError) as wrong:
        Catalog(
            (*OFFERS, OFFERS[0]),
            (*CHANNELS, CHANNELS[1]),
            (Action(name="hello"), Action(name="a", offer="cupon", channel="push"), Action(name="b", offer="content")),
        )
    found = {(p.field, p.value) for p in wrong.value.problems}
    assert {("offers", "content"), ("channels", "sms"), ("a", ("cupon", "push")), ("b", ("content", None))} < found
    assert "actions[0]" in {p.field for p in wrong.value.problems}


def test_an_action_twice_is_refused():
    with pytest.raises(SpecError, match="'content@push' is not named once"):
        Catalog.product(OFFERS, CHANNELS, [("content", "push"), ("content", "push")])


def test_names_of_foreign_logs_become_actions():
    catalog = Catalog.from_names(["Mens E-Mail", "none", "coupon@50@sms", "Womens E-Mail"])
    assert catalog.names == ("none", "Mens E-Mail", "coupon@50@sms", "Womens E-Mail")
    assert [c.name for c in catalog.channels] == ["logged", "sms"]
    assert [o.name for o in catalog.offers] == ["Mens E-Mail", "coupon@50", "Womens E-Mail"]
    assert catalog.cost_of.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"offers": [], "channels": []},
        {"offers": [{"name": "a", "price": 3}], "channels": [], "actions": [{"name": "none"}]},
        {"offers": 5, "channels": [], "actions": []},
        {"offers": [None], "channels": [], "actions": []},
        {"offers": [], "channels": [], "actions": []},
    ],
)
def test_what_is_no_catalog_is_refused(damage):
    with pytest.raises(SpecError):
        Catalog.from_dict(damage)

"""Creatives, slots, arrivals and drift: what a file says of them is what customers do; without them all is as ever."""

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.actions import Catalog
from campaignrl.dynamics.customers import draw_customers
from campaignrl.dynamics.parameters import parameters
from campaignrl.effects.drift import Change, path
from campaignrl.effects.hours import Peak, log_odds, slot_log_odds
from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.bounds.upper_bound import upper_bound
from campaignrl.envs.truth.oracles.greedy_oracle import action_gains
from campaignrl.errors import SpecError, UsageError
from campaignrl.policies.linear_model.parameter_sharing import blocks_of
from campaignrl.rng import customer_keys
from campaignrl.specs.world import load_world

WAYS = {
    "creatives": {"video": {"format": "video"}, "letter": {"format": "text", "tone": "warm"}},
    "slots": {"morning": {"hours": [7, 10]}, "night": {"hours": [22, 2]}},
}
ANSWERS = {
    "formats": {
        "match": 0.8,
        "segments": {"loyal": {"video": 0.7, "text": 0.3}, "bargain": {"text": 1.0}},
        "tones": {"warm": {"segments": {"loyal": 0.25}}},
    },
    "hours": {"segments": {"loyal": [{"hour": 8.5, "lift": 0.5}], "bargain": [{"hour": 0.0, "lift": 0.5}]}},
}


@pytest.fixture
def tables(small_world):
    return small_world.model_dump(exclude_unset=True)


@pytest.fixture
def shown(tables):
    """The small world with creatives and slots on push, one slot on SMS and no creative."""
    tables["channels"]["sms"] |= {"creatives": [], "slots": ["night"]}
    tables["offers"]["perk"]["creatives"] = ["letter"]
    return load_world({**tables, **WAYS, **ANSWERS})


def test_actions_are_named_by_offer_channel_creative_and_slot(shown):
    names = shown.catalog.names
    assert names[:5] == ("none", *(f"content@push/{c}/{s}" for c in ("video", "letter") for s in ("morning", "night")))
    assert [name for name in names if "sms" in name] == ["coupon20@sms/night", "winback@sms/night"]
    assert [name for name in names if "perk" in name] == ["perk@push/letter/morning", "perk@push/letter/night"]
    assert Catalog.from_dict(shown.catalog.to_dict()) == shown.catalog
    assert shown.catalog.hash == Catalog.from_dict(shown.catalog.to_dict()).hash
    assert "2 creatives, 2 slots" in repr(shown.catalog)


def test_a_world_says_the_same_after_it_was_written(shown):
    again = load_world(shown.model_dump(exclude_unset=True))
    assert again.catalog == shown.catalog
    assert load_world(shown.model_dump()).catalog == shown.catalog


def test_a_world_without_them_is_written_as_ever(small_world):
    words = {"creatives", "slots", "arrivals", "drift", "hours", "formats"}
    assert words.isdisjoint(small_world.model_dump())
    assert words.isdisjoint(small_world.model_dump()["channels"]["push"])
    assert set(small_world.catalog.to_dict()["actions"][1]) == {"name", "offer", "channel"}
    assert "format_tag" not in small_world.features.names


def test_hours_rise_at_the_peak_and_average_out_over_the_day():
    peaks = [Peak(hour=20.0, spread_hours=2.0, lift=0.6), Peak(hour=8.0, spread_hours=1.0, lift=0.3)]
    hours = np.arange(0.0, 24.0, 0.25) + 0.125
    assert np.isclose(log_odds(peaks, hours).mean(), 0.0, atol=1e-9)
    assert 19.8 < hours[log_odds(peaks, hours).argmax()] < 20.2
    late = [Peak(hour=23.5, lift=1.0)]
    assert np.isclose(slot_log_odds(late, 22.0, 1.0), slot_log_odds([Peak(hour=11.5, lift=1.0)], 10.0, 13.0), atol=1e-3)
    assert np.isclose(slot_log_odds(peaks, 0.0, 24.0), 0.0, atol=1e-6)


def opens(world, name, n=20_000):
    """Share of delivered sends that are opened on day 0, by segment and preferred format."""
    panel = Panel(world, n)
    action = np.full(n, world.catalog.id_of(name))
    traits = panel.traits
    outcome = panel.step(action)
    seen = outcome.delivered & panel.state.alive
    return {
        (g, f): outcome.opened[seen & (traits.segment == g) & (traits.format == f)].mean()
        for g in range(2)
        for f in np.unique(traits.format[traits.segment == g])
    }


def odds(p):
    return np.log(p / (1 - p))


def test_a_match_raises_opens_by_what_the_file_says(shown):
    video, letter = (opens(shown, f"content@push/{c}/morning") for c in ("video", "letter"))
    assert abs(odds(video[0, 0]) - odds(letter[0, 0]) - (0.8 - 0.25)) < 0.12  # loyal, prefers video: match less tone
    assert abs(odds(letter[0, 1]) - odds(video[0, 1]) - (0.8 + 0.25)) < 0.15
    assert abs(odds(letter[1, 1]) - odds(video[1, 1]) - 0.8) < 0.1  # bargain: text, no ear for tone


def test_each_segment_opens_at_its_own_hours(shown):
    by_action = next(e for e in parameters(shown).effects if type(e).__name__ == "HoursEffect").by_action
    morning, night = (shown.catalog.id_of(f"content@push/video/{s}") for s in ("morning", "night"))
    assert by_action[0, morning] > 0.3 > 0.0 > by_action[0, night]
    assert by_action[1, night] > 0.3 > 0.0 > by_action[1, morning]
    assert (by_action[:, 0] == 0.0).all()
    early, late = (opens(shown, f"content@push/video/{s}") for s in ("morning", "night"))
    want = by_action[1, night] - by_action[1, morning]
    assert abs(odds(late[1, 1]) - odds(early[1, 1]) - want) < 0.12


def test_the_oracle_knows_the_best_hour_and_format(shown):
    traits, state = draw_customers(shown, customer_keys(np.arange(300)), 0)
    gains = action_gains(shown, traits, state, 0, parameters(shown))
    names = ["content@push/video/morning", "content@push/video/night", "content@push/letter/night"]
    video_morning, video_night, letter_night = (gains[:, shown.catalog.id_of(name)] for name in names)
    likes = state.alive & (traits.segment == 0)
    assert (video_morning > video_night)[likes].all()
    assert (letter_night > video_night)[state.alive & (traits.segment == 1)].all()


def test_the_format_tag_is_as_noisy_as_other_tags(shown):
    traits, state = draw_customers(shown, customer_keys(np.arange(20_000)), 0)
    shares = np.bincount(traits.format[traits.segment == 0], minlength=2) / (traits.segment == 0).sum()
    assert np.allclose(shares, [0.7, 0.3], atol=0.015)
    known = state.format_tag >= 0
    assert abs(1 - known.mean() - shown.tags.missing) < 0.01
    assert abs((state.format_tag != traits.format)[known].mean() - shown.tags.wrong) < 0.01


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_log_holds_creative_and_slot_and_reads_back(shown, tmp_path, suffix):
    log = crl.simulate(shown, customers=200)
    path = tmp_path / f"log.{suffix}"
    crl.write_log(log, path)
    again = crl.read_log(path)
    assert (again.action == log.action).all()
    assert again.catalog == log.catalog
    frame = log.to_frame()
    sent = frame[frame["action"] > 0]
    assert set(sent["slot"]) == {"morning", "night"}
    assert sent.loc[sent["channel"] == "sms", "creative"].isna().all()
    unnumbered = frame.drop(columns="action")
    made = crl.DecisionLog.from_frame(unnumbered, catalog=log.catalog, features=log.context.schema, meta=log.meta)
    assert (made.action == log.action).all()
    policy = crl.train("lin_ts", log)
    assert crl.evaluate(log, policy).estimates


def test_a_slot_that_contradicts_its_action_is_refused(shown):
    frame = crl.simulate(shown, customers=50).to_frame()
    row = frame.index[frame["slot"] == "night"][0]
    frame.loc[row, "slot"] = "morning"
    log = crl.simulate(shown, customers=50)
    with pytest.raises(crl.errors.DataError, match="slot of its row"):
        crl.DecisionLog.from_frame(frame, catalog=log.catalog, features=log.context.schema, meta=log.meta)


def test_a_send_list_says_creative_and_slot(shown):
    sends = crl.decide("uniform", customers_frame(Panel(shown, 100)), shown, day="2026-11-21").to_frame()
    assert list(sends.columns[:6]) == ["customer_id", "ts", "offer", "channel", "creative", "slot"]
    assert set(sends["slot"]) == {"", "morning", "night"}


def test_learners_share_what_they_learn_by_creative_and_by_slot(shown):
    members = blocks_of(shown.catalog, 10).members
    for of in (shown.catalog.creative_of, shown.catalog.slot_of):
        for j in range(2):
            assert any((members[:, b] == (of == j)).all() for b in range(members.shape[1]))


# ------------------------------------------------------------------ arrivals


def test_arrivals_are_unknown_until_they_come(tables):
    world = load_world({**tables, "arrivals": {"per_week": 0.35, "segments": {"bargain": 1.0}}})
    panel = Panel(world, 5_000)
    arrives = panel.traits.arrives
    share = 0.35 / 7 * world.horizon
    assert abs((arrives > 0).mean() - share / (1 + share)) < 0.02
    assert (panel.traits.segment[arrives > 0] == 1).all()
    assert arrives.max() <= world.horizon - 1
    while not panel.done:
        context = panel.observe()
        absent = arrives > panel.day
        assert not panel.allowed(context)[absent, 1:].any()
        assert not panel.state.alive[absent].any()
        assert (panel.state.orders[absent] == 0).all()
        assert (context.columns["tenure_days"][arrives == panel.day] == 0).all() or panel.day == 0
        outcome = panel.step(np.zeros(5_000, dtype=int))
        assert not outcome.bought[absent].any()
    assert panel.state.orders[arrives > 0].sum() > 0


def test_a_log_begins_on_the_day_of_arrival(tables):
    world = load_world({**tables, "arrivals": {"per_day": 0.04}})
    log = crl.simulate(world, customers=400)
    arrives = Panel(world, 400).traits.arrives
    rows = np.bincount(log.customer, minlength=400)
    assert (rows == world.horizon - arrives).all()
    first = log.step == 0
    assert (log.day[first] == arrives[log.customer[first]]).all()
    assert (log.reward[~first] != 0).any()


def test_who_was_there_before_lives_as_without_arrivals(tables):
    plain, growing = load_world(tables), load_world({**tables, "arrivals": {"per_day": 0.05}})
    a, b = (crl.run_campaign(world, "none", customers=1_000) for world in (plain, growing))
    there = Panel(growing, 1_000).traits.arrives == 0
    assert (a.value[there] == b.value[there]).all()
    assert (a.value[~there] != b.value[~there]).any()


def test_a_bound_that_would_pass_over_arrivals_is_refused(tables):
    world = load_world({**tables, "arrivals": {"per_day": 0.01}})
    with pytest.raises(UsageError, match="arrivals"):
        upper_bound(world, customers=50)


# ------------------------------------------------------------------ drift


def test_paths_jump_move_and_walk():
    jump = path(Change(what="taste", day=3, by=-0.5), 6, 0, 0)
    assert jump.tolist() == [0, 0, 0, -0.5, -0.5, -0.5]
    moved = path(Change(what="taste", day=2, by=1.0, how="linear", days=4), 8, 0, 0)
    assert moved.tolist() == [0, 0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    walk = path(Change(what="taste", day=5, by=0.1, how="walk", days=400), 1_000, 0, 0)
    assert (walk[:5] == 0).all()
    assert (walk[405:] == walk[404]).all()
    assert abs(np.diff(walk[4:405]).std() - 0.1) < 0.02
    assert (walk != path(Change(what="taste", day=5, by=0.1, how="walk", days=400), 1_000, 1, 0)).any()


def test_before_its_day_a_change_leaves_every_byte_alone(tables):
    change = {"what": "taste", "day": 6, "by": 1.5, "offer": "content", "segment": "loyal"}
    still, moved = load_world(tables), load_world({**tables, "drift": {"changes": [change]}})
    a, b = (crl.run_campaign(world, "always:content@push", customers=3_000) for world in (still, moved))
    assert (a.daily["opened"][:6] == b.daily["opened"][:6]).all()
    assert b.daily["opened"][6:].sum() > 1.3 * a.daily["opened"][6:].sum()
    bargain = a.segment == 1
    assert (a.value[bargain] == b.value[bargain]).all()


def test_response_moves_opens_alone_and_a_price_moves_orders(tables):
    def played(**change):
        world = load_world({**tables, "drift": {"changes": [{"day": 0, **change}]}})
        return crl.run_campaign(world, "always:content@push", customers=4_000).daily

    still = crl.run_campaign(load_world(tables), "always:content@push", customers=4_000).daily
    response = played(what="response", by=-40.0)
    assert response["opened"].sum() == 0
    dear, cheap = (played(what="price", by=by)["bought"].sum() for by in (0.3, -0.3))
    assert dear < 0.75 * still["bought"].sum()
    assert cheap > 1.25 * still["bought"].sum()  # no order is lost by thinning


def test_thinning_loses_no_order_of_a_drifting_price(tables):
    """Orders of a still world whose hazards are what the drifting ones are from day 0 on, in expectation and draw."""
    factor = {"loyal": np.exp(10 * 0.1 * 0.2), "bargain": np.exp(10 * 0.4 * 0.2)}  # -20 % at each mean sensitivity
    world = load_world({**tables, "drift": {"changes": [{"what": "price", "day": 0, "by": -0.2}]}})
    for name, by in factor.items():
        tables["segments"][name]["purchase"]["rate"] *= by
    quick = load_world(tables)
    a = Panel(world, 20_000)
    b = Panel(quick, 20_000)
    b.state = a.state._replace(**{f: getattr(a.state, f).copy() for f in a.state._fields})
    none = np.zeros(20_000, dtype=int)
    bought = [np.array([panel.step(none).bought for _ in range(5)]).sum() for panel in (a, b)]
    assert abs(bought[0] - bought[1]) <= 3  # single precision


# ------------------------------------------------------------------ wrong input

WRONG = {
    "drift without a day": ({"drift": {"changes": [{"what": "taste", "by": 1.0}]}}, ["day", "absent", "Add it"]),
    "drift of nothing known": ({"drift": {"changes": [{"what": "mood", "day": 1, "by": 1.0}]}}, ["what", "'mood'"]),
    "drift of an unknown offer": (
        {"drift": {"changes": [{"what": "taste", "day": 1, "by": 1.0, "offer": "perks"}]}},
        ["[drift.changes.0]", "offer", "'perk'?"],
    ),
    "drift of an unknown segment": (
        {"drift": {"changes": [{"what": "taste", "day": 1, "by": 1.0, "segment": "loyl"}]}},
        ["segment", "'loyal'?"],
    ),
    "a line without an end": (
        {"drift": {"changes": [{"what": "taste", "day": 1, "by": 1.0, "how": "linear"}]}},
        ["days", "absent"],
    ),
    "a price of one offer": (
        {"drift": {"changes": [{"what": "price", "day": 1, "by": 0.1, "offer": "perk"}]}},
        ["offer", "all offers share"],
    ),
    "drift before the start": ({"drift": {"changes": [{"what": "taste", "day": -1, "by": 1.0}]}}, ["day", "-1"]),
    "a slot after midnight": ({"slots": {"late": {"hours": [18, 26]}}}, ["[slots.late.hours]", "26", "24"]),
    "a slot before midnight": ({"slots": {"late": {"hours": [-1, 6]}}}, ["[slots.late.hours]", "-1", "0"]),
    "a slot without hours": ({"slots": {"late": {"hours": [8, 8]}}}, ["[slots]", "late", "hours in it"]),
    "an hour of 24": ({"hours": {"segments": {"loyal": [{"hour": 24, "lift": 1.0}]}}}, ["hour", "24"]),
    "hours of nobody": ({"hours": {"segments": {"loyl": []}}}, ["[hours.segments]", "'loyal'?"]),
    "formats that do not add up": ({"formats": {"segments": {"loyal": {"video": 0.7}}}}, ["loyal", "0.7", "adding up"]),
    "arrivals above 1": ({"arrivals": {"per_day": 0.5}}, ["[arrivals]", "per_day over 12 days", "6.0", "at most 1"]),
    "arrivals a day above 1": ({"arrivals": {"per_day": 1.5}}, ["[arrivals]", "per_day", "1.5"]),
    "arrivals a week above 1": ({"arrivals": {"per_week": 0.9}}, ["per_week over 12 days", "1.54"]),
    "arrivals twice over": ({"arrivals": {"per_day": 0.01, "per_week": 0.07}}, ["[arrivals]", "one of the two"]),
    "arrivals of no segment": ({"arrivals": {"per_day": 0.01, "segments": {"loyl": 1.0}}}, ["'loyal'?"]),
    "shares of arrivals above 1": (
        {"arrivals": {"per_day": 0.01, "segments": {"loyal": 0.8, "bargain": 0.8}}},
        ["[arrivals.segments]", "1.6"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_mistake_is_named(name, tables):
    changes, words = WRONG[name]
    with pytest.raises(SpecError) as wrong:
        load_world({**tables, **changes})
    assert [word for word in words if word not in str(wrong.value)] == []
    assert len(str(wrong.value).splitlines()) == 1


def test_unknown_ways_of_a_channel_or_an_offer_are_named(tables):
    tables["channels"]["push"]["slots"] = ["mornin"]
    tables["offers"]["perk"]["creatives"] = ["vide"]
    with pytest.raises(SpecError) as wrong:
        load_world({**tables, **WAYS})
    said = str(wrong.value)
    assert [word for word in ("[channels.push]", "'morning'?", "[offers.perk]", "'video'?") if word not in said] == []


def test_more_actions_than_can_be_numbered_are_refused(tables):
    many = {
        "creatives": {f"c{i}": {} for i in range(60)},
        "slots": {f"s{i}": {"hours": [i / 3, i / 3 + 0.3]} for i in range(60)},
    }
    with pytest.raises(SpecError, match="more than 10000"):
        load_world({**tables, **many})

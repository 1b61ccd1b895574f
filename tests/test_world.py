"""Worlds: what a file says is what a world holds, and every mistake in a file is named."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.errors import SpecError, UnknownName
from campaignrl.specs.bundled import bundled_files, bundled_folder
from campaignrl.specs.world import MOST, World, load_world
from campaignrl.toml import check

SMALL = Path(__file__).parent / "worlds" / "small.toml"

# A slip in the file (what stands there, what is written instead), and what the message must say.
MISTAKES = {
    "unknown segment in a condition": ("segment == 'loyal' or", "segment == 'loyl' or", ["[offers.perk]", "'loyal'?"]),
    "unknown stage in a condition": ("'dormant'", "'dormnt'", ["[offers.winback]", "'dormant'?"]),
    "unknown feature in a condition": ("orders > 10", "ordrs > 10", ["[offers.perk]", "'orders'?"]),
    "a call in a condition": ("orders > 10", "print(1)", ["[offers.perk]", "a comparison"]),
    "unknown channel of an offer": ('["sms"]', '["smss"]', ["[offers.winback]", "channels", "'sms'?"]),
    "unknown channel of a cap": ('channel = "sms", per', 'channel = "sns", per', ["[guard]", "'sms'?"]),
    "unknown channel of a consent": ("sms = 0.6 }", "smss = 0.6 }", ["[segments.loyal]", "consent", "'sms'?"]),
    "a consent left out": ("push = 0.8, sms = 0.6", "push = 0.8", ["[segments.loyal]", "consent", "sms is missing"]),
    "unknown channel of an affinity": ("affinity = { push", "affinity = { posh", ["affinity", "'push'?"]),
    "shares that do not add up": ("share = 0.4", "share = 0.5", ["[segments]", "1.1", "add up to 1"]),
    "levels that do not add up": ("ios = 0.6", "ios = 0.7", ["[segments.loyal]", "device", "1.1"]),
    "an attribute left out": ("profile.device = { ios = 0.6, android = 0.4 }", "", ["[segments.loyal]", "device"]),
    "negative cost": ("cost = 0.08", "cost = -0.08", ["[channels.sms]", "cost", "greater than or equal to 0"]),
    "cost past all money": ("cost = 0.08", "cost = 1e308", ["[channels.sms]", "cost"]),
    "cost that is no number": ("cost = 0.08", "cost = nan", ["[channels.sms]", "cost", "finite"]),
    "cost of part of a cent": ("cost = 0.08", "cost = 0.085", ["[channels.sms]", "cost", "whole in 1/100"]),
    "text for a cost": ("cost = 0.08", 'cost = "cheap"', ["[channels.sms]", "cost", "'cheap'", "number"]),
    "consent rate above 1": ("sms = 0.6 }", "sms = 1.6 }", ["[segments.loyal.consent]", "sms", "1.6"]),
    "open rate of 0": ("open = 0.7", "open = 0.0", ["[channels.sms.reach]", "open", "greater than 0"]),
    "an offer without channel": ('channels = ["sms"]', "channels = []", ["[offers.winback]", "channels", "at least 1"]),
    "an offer twice on a channel": ('["sms"]', '["sms", "sms"]', ["'winback@sms'", "once"]),
    "full price given away": ("discount = 0.2\n", "discount = 1.0\n", ["[offers.coupon20]", "discount", "less than 1"]),
    "negative validity": ("valid_days = 3", "valid_days = -3", ["[offers.coupon20]", "valid_days"]),
    "unknown key": ("valid_days = 3", "valid_day = 3", ["[offers.coupon20]", "'valid_day'", "'valid_days'?"]),
    "unknown key at the top": ("horizon = 12", "horizn = 12", ["'horizn'", "'horizon'?"]),
    "unknown kind": ('kind = "perk"', 'kind = "park"', ["[offers.perk]", "kind", "'park'"]),
    "unknown taste": ("taste = { perk", "taste = { perks", ["[segments.loyal.taste", "'perk'"]),
    "no horizon": ("horizon = 12", "horizon = 0", ["horizon", "greater than or equal to 1"]),
    "cap of a fraction": ("at_most = 3", "at_most = 2.5", ["at_most", "2.5"]),
    "negative cap": ("at_most = 3", "at_most = -1", ["at_most", "-1"]),
    "cap over more days than are remembered": ("per_days = 5", "per_days = 90", ["per_days", "90"]),
    "everybody held out": ("holdout = 0.1", "holdout = 1.0", ["holdout", "less than 1"]),
    "an attribute with the name of a feature": ("profile.device", "profile.orders", ["features", "'orders'", "once"]),
    "a missing table": (
        "basket = { mean = 80, spread = 0.5, margin = 0.4 }",
        "",
        ["[segments.loyal]", "basket", "absent"],
    ),
    "no TOML": ("horizon = 12", "horizon = = 12", ["syntax", "line 3"]),
}


def written(folder, old, new):
    text = SMALL.read_text()
    assert old in text
    path = folder / "mine.toml"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_named(name, tmp_path):
    old, new, words = MISTAKES[name]
    with pytest.raises(SpecError) as wrong:
        load_world(written(tmp_path, old, new))
    message = str(wrong.value)
    assert "mine.toml" in message
    assert [word for word in words if word not in message] == []


def test_all_mistakes_are_named_at_once(tables):
    tables["segments"]["loyal"]["share"] = 0.9
    tables["offers"]["perk"]["channels"] = ["posh"]
    tables["guard"]["caps"][0]["channel"] = "sns"
    with pytest.raises(SpecError) as wrong:
        check(World, tables, "test")
    assert {p.value for p in wrong.value.problems} == {1.5, "posh", "sns"}


def test_more_offers_than_codes_are_refused(tables):
    tables["offers"] = {f"o{i}": tables["offers"]["content"] for i in range(MOST + 1)}
    with pytest.raises(SpecError, match=f"at most {MOST} items"):
        check(World, tables, "test")


def test_more_levels_than_codes_are_refused(tables):
    for segment in tables["segments"].values():
        segment["profile"]["device"] = {f"d{i}": 1 / (MOST + 1) for i in range(MOST + 1)}
    with pytest.raises(SpecError, match=f"{MOST + 1} levels"):
        check(World, tables, "test")


def test_a_file_is_found_by_path_and_named_by_it(tmp_path):
    world = load_world(written(tmp_path, "horizon = 12", "horizon = 13"))
    assert (world.name, world.horizon) == ("mine", 13)
    assert world.catalog.names == (
        "none", "content@push", "coupon20@push", "coupon20@sms", "perk@push", "winback@sms",
    )  # fmt: skip
    assert world.catalog.cost_of.tolist() == [0, 1, 1, 8, 1, 8]
    assert world.attributes == {"device": ("ios", "android")}
    assert set(world.conditions) == {"perk", "winback"}


def test_a_byte_order_mark_and_crlf_do_no_harm(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.read_bytes().replace(b"\n", b"\r\n"))
    assert load_world(path, name="small") == load_world(SMALL)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("ecomerce", "Did you mean 'ecommerce'?"),
        ("no/such/file.toml", "no world named"),
        ("../../etc/passwd", "no world named"),
    ],
)
def test_an_unknown_world_is_met_with_the_nearest(reference, words):
    with pytest.raises(UnknownName) as wrong:
        load_world(reference)
    assert words in str(wrong.value)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("missing.toml", UnknownName, "There is no such file"),
        ("folder", UnknownName, "is a folder: give a path to a TOML file"),
        ("shop", UnknownName, r"without a suffix: give a path to a TOML file, such as \./shop\.toml"),
        ("shop.yaml", SpecError, r"A TOML file is expected \(NAME\.toml\), not \.yaml"),
    ],
)
def test_what_is_no_toml_file_is_told_what_is_expected(tmp_path, name, error, words):
    (tmp_path / "folder").mkdir()
    for file in ("shop", "shop.yaml"):
        (tmp_path / file).write_text("name: shop\n")
    with pytest.raises(error, match=words):
        load_world(tmp_path / name)


@pytest.mark.parametrize("name", ["w" * 5_000, "w" * 5_000 + ".toml", "a\0b.toml"])
def test_a_name_that_no_file_can_have_is_unknown(name):
    with pytest.raises(UnknownName):
        load_world(name)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "damaged.toml"
    path.write_bytes(b"\xff\xfe\x00horizon")
    with pytest.raises(SpecError, match="damaged"):
        load_world(path)


def test_changes_replace_fields_and_are_checked(small_world):
    assert load_world(small_world, horizon=30).horizon == 30
    assert load_world("ecommerce", horizon=30).horizon == 30
    assert load_world(small_world, horizon=30).offers == small_world.offers
    assert load_world(small_world) is small_world
    assert small_world.horizon == 12
    with pytest.raises(SpecError, match="'horizont' is not a known key"):
        load_world(small_world, horizont=30)
    with pytest.raises(SpecError, match="horizon"):
        load_world(small_world, horizon=-1)


def test_a_world_cannot_be_changed(small_world):
    with pytest.raises(ValueError, match="frozen"):
        small_world.horizon = 3


def test_tables_of_a_world_give_the_world_again(small_world):
    assert check(World, small_world.model_dump(), "again") == small_world


@given(st.integers(0, 10**8))
@settings(max_examples=200, deadline=None)
def test_minor_units_are_exact(small_world, cents):
    # 0.29 * 100 is 28.999... in floating point.
    assert small_world.minor(cents / 100) == cents


@pytest.mark.parametrize("amount", [0.005, 0.001, 1e-9, 0.1 + 0.2])
def test_part_of_a_minor_unit_is_refused(small_world, amount):
    with pytest.raises(SpecError, match="minor_per_unit"):
        small_world.minor(amount)


def test_a_currency_without_minor_units(tables):
    tables["money"]["minor_per_unit"] = 1
    tables["channels"]["push"]["cost"], tables["channels"]["sms"]["cost"] = 3, 12
    assert check(World, tables, "yen").catalog.cost_of.tolist() == [0, 3, 3, 12, 3, 12]


@pytest.mark.parametrize("name", sorted(bundled_files("envs")))
def test_every_bundled_world_is_sound_and_in_the_index(name):
    world = load_world(name)
    assert world.name == name
    assert world.title
    assert 2 <= len(world.catalog) < 100
    assert world.features.width > 0
    assert all(segment.says for segment in world.segments.values())
    assert f"`{name}.toml`" in (bundled_folder("envs") / "README.md").read_text()


def test_the_first_world_is_the_one_that_was_asked_for():
    world = load_world("ecommerce")
    assert list(world.segments) == ["high_value", "potential", "price_sensitive", "leisure", "rational"]
    assert set(world.channels) == {"push", "feed", "popup", "email", "sms"}
    assert {o.kind for o in world.offers.values()} == {"content", "gift", "coupon", "free_shipping", "perk", "winback"}
    assert sorted(o.discount for o in world.offers.values() if o.kind == "coupon") == [0.1, 0.2, 0.3]
    assert (world.horizon, world.money.minor_per_unit) == (90, 100)

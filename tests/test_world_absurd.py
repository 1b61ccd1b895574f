"""Worlds beyond any sense: one clear error each, within a second, and never a stack trace."""

import gc
import sys
import time
from pathlib import Path

import pytest

from campaignrl.cli import main as cli
from campaignrl.errors import SpecError
from campaignrl.specs.world import load_world

SMALL = (Path(__file__).parent / "worlds" / "small.toml").read_text()
SECONDS = 1.0  # of work


def instead(old, new):
    assert old in SMALL
    return SMALL.replace(old, new, 1)


def many(n, line):
    return "\n".join(line.format(i) for i in range(n)) + "\n"


DEEP = ".".join(["a"] * 200_000)
NUMBERS = {"1e308": "1e308", "400 digits": "9" * 400, "5,000 digits": "9" * 5_000, "16,000 bits": "0x" + "f" * 4_000}
PLACES = {
    "horizon": "horizon = 12",
    "share": "share = 0.4",
    "cost": "cost = 0.08",
    "at_most": "at_most = 3",
    "valid_days": "valid_days = 3",
    "rate": "rate = 0.05",
    "mean": "mean = 80",
}
CASES = {
    f"{number} for {field}": (
        instead(line, f"{field} = {digits}"),
        ["line ", "19 digits"] if number[0] == "5" else [field],
    )
    for number, digits in NUMBERS.items()
    for field, line in PLACES.items()
} | {
    "an appeal past all exponents": (instead("valid_days = 3", "valid_days = 3\nappeal = 51.0"), ["appeal", "50"]),
    "a taste past all exponents": (instead("taste = { perk", "taste = { content = -1e9, perk"), ["content", "-50"]),
    "a spread of nearly nothing": (instead("spread = 0.5", "spread = 1e-320"), ["spread", "1e-30"]),
    "a key 3,000 deep": ("title." + ".".join(["a"] * 3_000) + " = 1\n" + SMALL, ["line 1", "32 levels deep"]),
    "a key 200,000 deep": (SMALL + "\n" + DEEP + " = 1\n", ["levels deep"]),
    "a header 200,000 deep": (SMALL + f"\n[{DEEP}]\nx = 1\n", ["levels deep"]),
    "quoted keys 80,000 deep": (SMALL + "\n" + "\"a\" . 'b'." * 40_000 + "c = 1\n", ["levels deep"]),
    "a key 40 deep": ("x." + ".".join(["a"] * 40) + " = 1\n" + SMALL, ["32 levels deep"]),
    "lists 100,000 deep": ("x = " + "[" * 100_000 + "]" * 100_000 + "\n" + SMALL, ["32 levels deep"]),
    "tables 100,000 deep": ("x = " + "{a=" * 100_000 + "1" + "}" * 100_000 + "\n" + SMALL, ["32 levels deep"]),
    "lists 100 deep": ("x = " + "[" * 100 + "]" * 100 + "\n" + SMALL, ["32 levels deep"]),
    "60,000 segments": (many(60_000, "segments.s{}.share = 0.1"), ["bytes"]),
    "15,000 segments": ("[segments]\n" + many(15_000, "s{} = {{share = 0.1}}"), ["segments", "at most 10000"]),
    "9,000 segments": ("[segments]\n" + many(9_000, "s{} = {{share = 0.1}}"), ["segments", "at most 60 items"]),
    "6,000 offers": (SMALL + many(6_000, '[offers.o{}]\nkind = "content"\nchannels = ["push"]'), ["offers", "60"]),
    "9,000 channels": (SMALL + many(9_000, "[channels.c{}]\ncost = 0.1"), ["channels", "60"]),
    "9,000 channels of an offer": (instead('["sms"]', "[" + '"sms", ' * 9_000 + "]"), ["channels", "60"]),
    "9,000 caps": (instead("caps = [", "caps = [" + "{ per_days = 7, at_most = 1 }, " * 9_000), ["caps", "60"]),
    "9,000 levels": (
        instead("{ ios = 0.6", "{ " + ", ".join(f"l{i} = 0.1" for i in range(9_000)) + ", ios = 0.6"),
        ["device", "9002 levels"],
    ),
    "9,000 unknown keys": (many(9_000, "k{} = 1") + SMALL, ["'k0'", "more problems"]),
    "9,000 unknown tastes": (
        instead("taste = {", "taste = { " + ", ".join(f"k{i} = 1" for i in range(9_000)) + ", "),
        ["'k0'", "more problems"],
    ),
    "200,000 of anything": ("x = [" + "1," * 200_000 + "]\n" + SMALL, ["x", "at most 10000"]),
    "a file of 5 MB": (SMALL + "#" + "x" * (5 << 20), ["bytes"]),
    "a line of 500,000 quotes": ("x = " + "\"'" * 250_000 + "\n" + SMALL, ["syntax"]),
    "a word of 500,000 letters": ("x" * 500_000 + "\n" + SMALL, ["syntax"]),
}


@pytest.fixture(scope="module", autouse=True)
def warm():
    """What the first load of all takes is no matter of the file, nor are the objects that other tests left behind."""
    load_world("coupon_trap")
    gc.collect()
    gc.freeze()  # or every collection would look through them
    yield
    gc.unfreeze()


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    text, words = CASES[request.param]
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path, words


def test_one_clear_error_within_a_second(case):
    path, words = case
    start = time.process_time()
    with pytest.raises(SpecError) as wrong:
        load_world(path)
    assert time.process_time() - start < SECONDS
    message = str(wrong.value)
    assert "mine.toml" in message
    assert [word for word in words if word not in message] == []
    assert len(message) < 10_000
    assert len(message.splitlines()) <= 21


@pytest.mark.parametrize("name", ["400 digits for cost", "a key 200,000 deep", "9,000 segments", "1e308 for horizon"])
def test_the_command_line_says_the_same(name, tmp_path, monkeypatch, capsys):
    path = tmp_path / "mine.toml"
    path.write_text(CASES[name][0])
    monkeypatch.setattr(sys, "argv", ["campaignrl", "world", "check", str(path)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr().err
    assert end.value.code == 3
    assert "mine.toml" in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1


def test_tables_given_as_a_dict_are_judged_likewise():
    deep: dict = {}
    at = deep
    for _ in range(200_000):
        at["a"] = {}
        at = at["a"]
    for absurd in (deep, {"horizon": 10**5_000}, {"x": list(range(20_000))}, {"x": -1e31}):
        with pytest.raises(SpecError) as wrong:
            load_world({"title": "absurd", **absurd})
        assert str(wrong.value).count("\n") == 0


def test_a_change_too_large_to_be_shown_is_refused_in_words():
    with pytest.raises(SpecError, match=r"horizon = \(int too large to be shown\) is not less than"):
        load_world("coupon_trap", horizon=10**5_000)


def test_the_sizes_that_people_write_pass(tmp_path):
    path = tmp_path / "mine.toml"
    words = ". ".join(["a.b.c"] * 40)
    path.write_text(instead('title = "', f'title = "{words} ') + "\n# " + "e.g. " * 300 + "." * 300)
    assert load_world(path).title.startswith("a.b.c")


MOVING = {
    "drift without a day": (
        '[drift]\nchanges = [{ what = "taste", by = 1.0 }]',
        ["[drift.changes.0]", "day", "Add it"],
    ),
    "a slot outside the day": ("[slots.late]\nhours = [18, 26]", ["[slots.late.hours]", "26", "24"]),
    "arrivals above 1": ("[arrivals]\nper_day = 0.5", ["[arrivals]", "6.0", "at most 1"]),
    "a shift without servers": (
        "[channels.call]\ncost = 1.0\nreach = { deliver = 0.5, open = 0.5, click = 0.5 }\n"
        "unsubscribe = { base = 0.0 }\ncapacity = { sends_per_day_per_1000_customers = 5.0 }\nshift = [9, 18]",
        ["[channels]", "call", "servers = 10"],
    ),
}


@pytest.mark.parametrize("name", MOVING)
def test_the_command_line_names_what_is_wrong_with_a_world_that_moves(name, tmp_path, monkeypatch, capsys):
    text, words = MOVING[name]
    path = tmp_path / "mine.toml"
    path.write_text(SMALL + f"\n{text}\n")
    monkeypatch.setattr(sys, "argv", ["campaignrl", "world", "check", str(path)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr().err
    assert end.value.code == 3
    assert [word for word in words if word not in said] == []
    assert "Traceback" not in said
    assert len(said) < 1_000

"""The reading of `full` follows from its figures: where RL helps, where not, and where the log could not tell."""

import importlib.util
import sys
from pathlib import Path

import pytest

from campaignrl.suites.measure_definitions import measured
from campaignrl.suites.results import MeasureFacts, Results, SuiteFacts, WorldFacts
from campaignrl.suites.rows import Row
from campaignrl.suites.suite import Gate, Training, load_suite

FOLDER = Path(__file__).parents[1] / "experiments"
SUITE = FOLDER / "full.toml"


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("full_tables", FOLDER / "full_tables.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["full_tables"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["full_tables"]


WORTH = {  # of each way, by world; every seed the same but for a small wobble, which differs by policy
    "helps": {"none": 10.0, "rules": 11.0, "best_fixed": 12.0, "lin_ts": 12.5, "fitted_q": 12.0, "rollout": 14.0},
    "loses": {"none": 10.0, "rules": 11.0, "best_fixed": 15.0, "lin_ts": 9.0, "fitted_q": 12.0, "rollout": 13.0},
    "open": {"none": 10.0, "rules": 11.0, "best_fixed": 12.0, "lin_ts": 11.0, "fitted_q": 12.01, "rollout": 11.9},
}
QUANTITIES = (
    "margin",
    "revenue",
    "discount",
    "cost",
    "sent",
    "bought",
    "delivered",
    "clicked",
    "unsubscribed",
    "buyers",
)
REST = ("new_buyers", "repeat_buyers", "active_start", "active_end", "top_start", "top_end", "marketing_new", "budget")


def row(world, policy, seed, worth):
    wobble = 0.05 * ((seed * 7 + len(policy) * 3 + len(world)) % 5 - 2)
    base = dict.fromkeys((*QUANTITIES, *REST), 0.0) | {"days": 28.0, "satisfaction": 0.0}
    own = base | {"reward": worth + wobble, "ceiling": 4.0}
    found = measured(own, base | {"reward": WORTH[world]["none"]})
    weeks = {"sends": [1.0, 2.0], "contribution": [1.0, 1.0]}
    return Row(world=world, policy=policy, seed=seed, value_std=1.0, measures=found, weeks=weeks)


@pytest.fixture(scope="module")
def found():
    facts = WorldFacts(hash="x", currency="EUR", horizon=14)
    suite = SuiteFacts(
        name="full",
        worlds=dict.fromkeys(WORTH, facts),
        policies=list(WORTH["helps"]),
        seeds=5,
        customers=100,
        train=Training(customers=50),
        compare=Gate(baseline="rules"),
        curves={"lin_ts": {"lin_ts": 50, "best_fixed": 10}},
    )
    rows = [row(world, p, seed, worth) for world, of in WORTH.items() for p, worth in of.items() for seed in range(5)]
    measures = {"gain": MeasureFacts(unit="money", formula="x - y", better=1, source="s")}
    results = Results(made_with={"numpy": "2"}, suite=suite, suite_hash="h", measures=measures, rows=rows)
    trust = {"policy": "rules", "lift": 0.2, "lift_ci_low": 0.1, "lift_ci_high": 0.3, "verdict": "trust", "ess": 900.0}
    told = trust | {"truth": 0.25, "truth_std_error": 0.01}
    unsure = told | {"policy": "lin_ts", "lift_ci_low": -0.1}
    refused = told | {"policy": "fitted_q", "verdict": "refuse"}
    wrong = told | {"policy": "best_fixed", "truth": 0.5}
    logs = {"helps": [told, wrong], "loses": [told, unsure], "open": [told, unsure, refused]}
    rows = [
        {"policy": p, "budget": b, "today": 1.0, "gains": [b * g, b * g + 0.1]}
        for p, g in (("a", 1), ("b", 2))
        for b in (1, 2)
    ]
    seconds = {f"helps/lin_ts/{seed}": 2.0 for seed in range(5)}
    return {"results": results, "seconds": seconds, "logs": logs, "budgets": {"open": rows}}


def test_each_world_is_read_as_its_figures_say(tables, found):
    words = {world: tables.contest(found["results"], world) for world in WORTH}
    assert {world: (other, word) for world, (other, _, word) in words.items()} == {
        "helps": ("lin_ts", tables.HELPS),
        "loses": ("best_fixed", tables.LOSES),
        "open": ("best_fixed", tables.OPEN),
    }
    assert words["helps"][1].policy == "rollout"
    assert words["helps"][1].difference == pytest.approx(14.0 / 12.5 - 1.0, abs=0.01)
    assert "RL helps: rollout earns +12" in tables.reading(found, "helps")
    assert "It has 100% of the observable ceiling, lin_ts 62%" in tables.reading(found, "helps")
    assert tables.reading(found, "loses").startswith("RL loses: its best, rollout, earns -13")
    assert "is not shown to help" in tables.reading(found, "open")


def test_what_a_log_could_tell_is_counted_and_what_not_is_named_with_the_reason(tables, found):
    logs = found["logs"]
    assert tables.log_reading(logs["helps"]) == (
        "The log tells 2 of 2 policies from the logging one. Its interval misses the truth for best_fixed."
    )
    assert tables.log_reading(logs["open"]) == (
        "The log tells 1 of 3 policies from the logging one; it could not tell lin_ts (its interval holds 0), "
        "fitted_q (refuse)."
    )


def test_the_answer_and_the_section_name_every_world_and_are_written_between_their_marks(tables, found, tmp_path):
    said = tables.answer(found)
    assert said == (
        "Reinforcement learning helps in helps; is not shown to help in open; loses in loses. "
        "The log could not tell half of the policies or more in open."
    )
    page, text = tmp_path / "results.md", tables.document(found)
    page.write_text("# Before\n", encoding="utf-8")
    for _ in range(2):
        tables.into(page, text, found)
    written = page.read_text(encoding="utf-8")
    assert written.startswith("# Before\n\n<!-- full -->")
    assert written.count("## Everything, everywhere") == 1
    assert all(f"- **{world}**: {tables.reading(found, world)}" in written for world in WORTH)
    assert {path.name for path in tmp_path.glob("*.png")} == {"results_full.png", "results_full_curves.png"}


@pytest.mark.slow
def test_the_page_holds_every_world_the_logs_and_the_budget(tables, found):
    page = tables.study_page(found)
    titles = [part.title for part in page.parts]
    assert titles == ["Calibration: what the log says, and what is true", *WORTH, "More or less money in open"]
    assert page.answer == tables.answer(found)
    assert "b +2.05 to +4.05" in page.parts[-1].drawings[0].says
    assert len(page.html()) < 3_000_000


def test_full_names_every_bundled_world_its_own_rules_and_known_ceilings():
    suite = load_suite(SUITE)
    assert sorted(suite.world_of) == sorted(path.stem for path in (FOLDER.parent / "envs").glob("*.toml"))
    own = {world: Path(suite.reference(world, "rules")).stem for world in suite.world_of}
    assert own == {world: "rules" if world == "ecommerce" else f"rules_{world}" for world in suite.world_of}
    bounds = (FOLDER.parent / "docs" / "bounds.md").read_text(encoding="utf-8")
    seen = bounds[bounds.index("## What can be seen") :]
    for world in suite.world_of:
        line = next((line for line in seen.splitlines() if line.startswith(f"| {world} |")), None)
        assert (world in suite.ceilings) == (line is not None), world
        if line is not None:
            assert f"**{suite.ceilings[world]:.2f} [" in line
    fixed = bounds[bounds.index("| world | far-sighted - greedy |") :]
    for world in suite.world_of:
        line = next(line for line in fixed.splitlines() if line.startswith(f"| {world} |"))
        assert f"`{suite.reference(world, 'best_fixed').removeprefix('always:')}`" in line

"""The demo goes round the loop in any world, against its business as usual, and what it leaves can be gone on with."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from campaignrl.campaign import ready_policy
from campaignrl.cli import main as cli
from campaignrl.demo import title, usual_policy
from campaignrl.envs import Chronicle, Panel, play_history
from campaignrl.ledger import Ledger
from campaignrl.policies import load_policy
from campaignrl.send import audit_ledger
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world


@pytest.mark.parametrize("name", sorted(bundled_files("envs")))
def test_every_bundled_world_has_its_business_as_usual(name: str) -> None:
    world = load_world(name)
    assert ready_policy(usual_policy(world), world).catalog.hash == world.catalog.hash
    assert title(usual_policy(world)) == "today's rules"


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the demo leaves of a small bank."""
    place = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["campaignrl", "demo", "--world", "bank", "-n", "120", "-o", str(place)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    assert not end.value.code
    return place


@pytest.mark.slow
def test_the_demo_runs_in_another_world(bank: Path) -> None:
    page = (bank / "report.html").read_text(encoding="utf-8")
    assert "rules_bank" not in page
    assert "today&#39;s rules" in page or "today's rules" in page
    world = load_world(bank / "campaign" / "bank.toml")
    assert world.name == "bank", "or business as usual there would be nobody's"
    assert any(found.how == "fitted" for found in world.provenance.values())


@pytest.mark.slow
def test_what_the_demo_sent_is_in_its_ledger_and_obeys_every_rule(bank: Path) -> None:
    place = bank / "campaign"
    lists = [pd.read_csv(path, dtype=str) for path in sorted((place / "sends").glob("*.csv"))]
    assert len(lists) == 3
    ledger, world = Ledger.open(place / "ledger"), load_world(place / "bank.toml")
    decided = ledger.read("decisions", ["decision_id", "action"]).to_pandas()
    sent = set(decided.loc[decided["action"] != 0, "decision_id"])
    assert sent == set(pd.concat(lists)["decision_id"])
    handed = ledger.read("handovers", ["decision_id", "status"]).to_pandas()
    assert set(handed["decision_id"]) == set(pd.concat(lists[:2])["decision_id"])
    many, broken = audit_ledger(ledger, world)
    assert many == len(decided)
    assert not broken
    for path in (place / "policies").glob("*.bundle"):
        assert not audit_ledger(ledger, world, load_policy(path, world))[1], path


def test_a_demo_takes_nobody_elses_campaign_away(tmp_path: Path) -> None:
    (tmp_path / "campaign").mkdir()
    (tmp_path / "campaign" / "campaign.toml").write_text("name = 'ours'\n")
    done = CliRunner().invoke(cli.app, ["demo", "-n", "120", "-o", str(tmp_path)])
    assert done.exit_code != 0
    assert (tmp_path / "campaign" / "campaign.toml").read_text() == "name = 'ours'\n"


def test_a_life_in_two_parts_is_the_same_life(small_world: object) -> None:
    world = load_world(small_world)  # type: ignore[arg-type]
    none = lambda panel: np.zeros(len(panel), dtype=np.int64)  # noqa: E731
    life = Chronicle(Panel(world, 80, 3))
    life.live(none, 4)
    first = life.history()
    life.live(none, 5)
    whole = play_history(Panel(world, 80, 3), none, 9)
    for name in ("events", "attributes", "refreshes"):
        pd.testing.assert_frame_equal(getattr(life.history(), name), getattr(whole, name))
    assert len(first.events) < len(whole.events)
    assert first.as_of < whole.as_of

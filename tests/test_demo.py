"""The demo measures against business as usual of the world it runs in."""

import sys
from pathlib import Path

import pytest

from campaignrl.campaign import ready_policy
from campaignrl.cli import main as cli
from campaignrl.demo import title, usual_policy
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world


@pytest.mark.parametrize("name", sorted(bundled_files("envs")))
def test_every_bundled_world_has_its_business_as_usual(name: str) -> None:
    world = load_world(name)
    assert ready_policy(usual_policy(world), world).catalog.hash == world.catalog.hash
    assert title(usual_policy(world)) == "today's rules"


def test_the_demo_runs_in_another_world(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["campaignrl", "demo", "--world", "bank", "-n", "120", "-o", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    assert "today's rules" in capsys.readouterr().out
    assert "rules_bank" not in (tmp_path / "report.html").read_text(encoding="utf-8")

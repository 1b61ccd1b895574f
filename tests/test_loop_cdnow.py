"""A policy that loses against sending nothing in a world calibrated on real orders (CDNOW) does not decide."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from campaignrl.calibration.calibrate import calibrate
from campaignrl.errors import UsageError
from campaignrl.loop import CampaignFile, today
from campaignrl.loop.arms import policy_of
from campaignrl.loop.arms.champion import standing_of
from campaignrl.policies import NOTHING
from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.intake.mapping import load_intake_mapping
from campaignrl.tables import read_events

MAPPING = Path(__file__).parents[1] / "experiments" / "mappings" / "cdnow.toml"
DAY = dt.date(1998, 7, 1)
LOSES = "always:coupon30@popup"


def test_a_policy_that_loses_in_cdnows_world_is_refused_with_the_reason(shared_data, tmp_path):
    path = shared_data / "cdnow" / "CDNOW_sample.txt"
    if not path.is_file():
        pytest.skip("the CDNOW sample is not beside this checkout")
    place = tmp_path / "music"
    (place / "exports").mkdir(parents=True)
    shutil.copy(path, place / "exports" / path.name)
    taken = intake(load_intake_mapping(MAPPING), place / "exports", tmp_path / "taken", DAY)
    calibrate(read_events(taken.events_path), like="ecommerce", currency="USD", rate=0.14).write(place / "cdnow.toml")
    about, _, rest = MAPPING.read_text(encoding="utf-8").partition("[[source]]")
    currency = next(line for line in about.splitlines() if line.startswith("currency"))
    (place / "campaign.toml").write_text(
        f'name = "music"\nworld = "cdnow.toml"\nstart = {DAY}\ncustomers = 2357\n{currency}\n'
        f'[policies]\nchampion = "{LOSES}"\n[proof]\ncustomers = 1500\n[[source]]{rest}'
    )
    with pytest.raises(UsageError, match="shown to bring more than nothing") as refused:
        today(place, day=DAY)
    assert "sending nothing" in str(refused.value)
    assert not (place / "plans").exists()
    campaign = CampaignFile(place)
    stands = standing_of(campaign, policy_of(campaign, LOSES), {})
    assert stands.over[NOTHING].high < 0.0, "it does lose, and is not only unproven"

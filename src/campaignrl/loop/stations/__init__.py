"""The stations of a morning that take something in.

came_back.py    What came back since yesterday, into the ledger: files in answers/, and outcomes that the exports hold
exports.py      Exports to profiles: the first station of a morning, which does its work anew or not at all
learning.py     Learning on: a learner takes in what the ledger's log tells since its last lesson, and becomes a
                challenger
world_check.py  The world against the new exports: does it still say what the last days say?
"""

from campaignrl.loop.stations.came_back import take_in as take_in
from campaignrl.loop.stations.exports import PROFILES as PROFILES
from campaignrl.loop.stations.exports import data_alerts as data_alerts
from campaignrl.loop.stations.exports import make_profiles as make_profiles
from campaignrl.loop.stations.exports import open_ledger as open_ledger
from campaignrl.loop.stations.exports import profiles_key as profiles_key
from campaignrl.loop.stations.exports import sweep as sweep
from campaignrl.loop.stations.learning import learn_on as learn_on
from campaignrl.loop.stations.learning import learned_bundle as learned_bundle
from campaignrl.loop.stations.world_check import hold_world as hold_world
from campaignrl.loop.stations.world_check import world_alerts as world_alerts

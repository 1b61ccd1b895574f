"""The closed loop: one folder that a marketing team lives in, and what happens there every morning.

approval.py         Releasing a plan, and the kill switch: who, when, which plan
example_exports.py  Small example exports of a shop, bank, chain or travel house: what `campaignrl init --template`
                    begins with
first_steps.py      What may come before the first morning: profiles alone, to calibrate a world on, and a policy held
                    against others
morning.py          A morning: exports to profiles, what came back to the ledger, who may decide, what would be sent;
                    and the page
new_campaign.py     A new folder: from a template with example exports, or from a marketer's own files
standing.py         What stands between the plan of a morning and its sends, as its page says it
study_folder.py     A researcher's folder: a world to change, a suite of policies to compare in it, a script from log to
                    truth
arms/               Who decides: champion, challengers, and the trial by which one becomes the other
first_reading/      A first reading of exports that nobody has described
folder/             The folder of a campaign: its file, and what is remembered there from morning to morning
stations/           The stations of a morning that take something in
"""

from campaignrl.loop.approval import Approved as Approved
from campaignrl.loop.approval import approve as approve
from campaignrl.loop.approval import confirm as confirm
from campaignrl.loop.approval import halt as halt
from campaignrl.loop.approval import release as release
from campaignrl.loop.arms import Judged as Judged
from campaignrl.loop.arms import Verdict as Verdict
from campaignrl.loop.arms import campaign_policy as campaign_policy
from campaignrl.loop.arms import cohort_of as cohort_of
from campaignrl.loop.arms import judge as judge
from campaignrl.loop.arms import planned_step as planned_step
from campaignrl.loop.arms import read_step as read_step
from campaignrl.loop.arms import verdict as verdict
from campaignrl.loop.example_exports import exports_of as exports_of
from campaignrl.loop.first_steps import profiles_alone as profiles_alone
from campaignrl.loop.first_steps import standing_in_world as standing_in_world
from campaignrl.loop.folder import CampaignFile as CampaignFile
from campaignrl.loop.folder import TrialSpec as TrialSpec
from campaignrl.loop.folder import halted as halted
from campaignrl.loop.folder import read_state as read_state
from campaignrl.loop.folder import settle as settle
from campaignrl.loop.morning import Today as Today
from campaignrl.loop.morning import today as today
from campaignrl.loop.new_campaign import NewCampaign as NewCampaign
from campaignrl.loop.new_campaign import new_campaign as new_campaign
from campaignrl.loop.study_folder import STUDY as STUDY
from campaignrl.loop.study_folder import new_study as new_study

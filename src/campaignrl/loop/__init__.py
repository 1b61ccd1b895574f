"""The closed loop: one folder that a marketing team lives in, and what happens there every morning.

approval.py         Releasing a plan, and the kill switch: who, when, which plan
campaign_file.py    `campaign.toml`: where the exports lie and what they mean, whose rules hold, which policies decide
champion.py         Who may decide: the champion as its file names it, and what world and ledger say of it and of its
                    challengers
example_exports.py  Small example exports of a shop, bank, chain or travel house: what `campaignrl init --template`
                    begins with
first_rows.py       The first rows of an export as intake would read it, every cell as text
folder.py           The folder of a campaign on disk: what is remembered from morning to morning, the lock, the kill
                    switch
guesses.py          A first reading of exports nobody has described: which file is what, which column means what, and
                    how sure that is
headers.py          What people call the columns of their exports, in English and Chinese, and which words name a
                    channel
morning.py          A morning: exports to profiles, what came back to the ledger, who may decide, what would be sent;
                    and the page
new_campaign.py     A new folder: from a template with example exports, or from a marketer's own files
stations.py         What happens at each station of a morning: exports to profiles, what came back to the ledger
study_folder.py     A researcher's folder: a world to change, a suite of policies to compare in it, a script from log to
                    truth
"""

from campaignrl.loop.approval import approve as approve
from campaignrl.loop.approval import halt as halt
from campaignrl.loop.approval import release as release
from campaignrl.loop.campaign_file import CampaignFile as CampaignFile
from campaignrl.loop.campaign_file import confirm as confirm
from campaignrl.loop.champion import Judged as Judged
from campaignrl.loop.champion import campaign_policy as campaign_policy
from campaignrl.loop.champion import judge as judge
from campaignrl.loop.folder import halted as halted
from campaignrl.loop.folder import read_state as read_state
from campaignrl.loop.morning import Today as Today
from campaignrl.loop.morning import today as today
from campaignrl.loop.new_campaign import NewCampaign as NewCampaign
from campaignrl.loop.new_campaign import new_campaign as new_campaign
from campaignrl.loop.study_folder import STUDY as STUDY
from campaignrl.loop.study_folder import new_study as new_study

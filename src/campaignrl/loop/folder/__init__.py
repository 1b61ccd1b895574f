"""The folder of a campaign: its file, and what is remembered there from morning to morning.

campaign_file.py  `campaign.toml`: where the exports lie and what they mean, whose rules hold, which policies decide
settings.py       What `campaign.toml` may say, key by key, with units and what holds where nothing is said
state.py          The folder on disk: what is remembered from morning to morning, the lock, the kill switch
"""

from campaignrl.loop.folder.campaign_file import FILE as FILE
from campaignrl.loop.folder.campaign_file import CampaignFile as CampaignFile
from campaignrl.loop.folder.campaign_file import campaign_text as campaign_text
from campaignrl.loop.folder.campaign_file import confirm_guesses as confirm_guesses
from campaignrl.loop.folder.campaign_file import settle as settle
from campaignrl.loop.folder.settings import GuessSpec as GuessSpec
from campaignrl.loop.folder.settings import Stage as Stage
from campaignrl.loop.folder.settings import TrialSpec as TrialSpec
from campaignrl.loop.folder.state import APPROVALS as APPROVALS
from campaignrl.loop.folder.state import HALT as HALT
from campaignrl.loop.folder.state import append_line as append_line
from campaignrl.loop.folder.state import digest_of as digest_of
from campaignrl.loop.folder.state import halted as halted
from campaignrl.loop.folder.state import locked as locked
from campaignrl.loop.folder.state import read_json as read_json
from campaignrl.loop.folder.state import read_state as read_state
from campaignrl.loop.folder.state import require_going as require_going
from campaignrl.loop.folder.state import write_json as write_json
from campaignrl.loop.folder.state import write_state as write_state

"""The profile folder: building, updating and reading it.

build.py        Events and attributes -> a profiles table: every tag of a set for every customer, with the
                freshness of each
currency.py     One currency: what the amounts of a profile folder are in, and whether a world's policies may
                read them
exports.py      Later exports for a profile folder: read together with those of the first build, as if all had
                been built at once
folder.py       A profile folder: events, attributes, their refreshes, the tags made from them, and how they
                were made
tag_columns.py  The values of all tags of a set: what is asked of the events, one array a tag, and what models
                say of themselves
update.py       New events and new attributes for the profiles of a folder, and new weights from what a campaign
                achieved
"""

from campaignrl.profiles.store.build import Profiles as Profiles
from campaignrl.profiles.store.build import build_profiles as build_profiles
from campaignrl.profiles.store.currency import money_of as money_of
from campaignrl.profiles.store.currency import require_currency as require_currency
from campaignrl.profiles.store.exports import update_from_exports as update_from_exports
from campaignrl.profiles.store.folder import ATTRIBUTES as ATTRIBUTES
from campaignrl.profiles.store.folder import EVENTS as EVENTS
from campaignrl.profiles.store.folder import PENDING as PENDING
from campaignrl.profiles.store.folder import REFRESHES as REFRESHES
from campaignrl.profiles.store.folder import State as State
from campaignrl.profiles.store.folder import build_folder as build_folder
from campaignrl.profiles.store.folder import content_hash as content_hash
from campaignrl.profiles.store.folder import pending_of as pending_of
from campaignrl.profiles.store.folder import read_state as read_state
from campaignrl.profiles.store.update import Update as Update
from campaignrl.profiles.store.update import keep_segments as keep_segments
from campaignrl.profiles.store.update import reweight_folder as reweight_folder
from campaignrl.profiles.store.update import update_folder as update_folder

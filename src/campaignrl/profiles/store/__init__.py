"""The profile folder: building, updating and reading it.

build.py         Events and attributes -> a profiles table: every tag of a set for every customer, with the
                 freshness of each
columns.py       The columns of a profiles table: which tag is a number, a yes/no, a category or a date, and its
                 values as arrays
exports.py       Later exports for a profile folder: read together with those of the first build, as if all had been
                 built at once
folder.py        A profile folder: events, attributes, their refreshes, the tags made from them, and how they were
                 made
profile_file.py  A profiles table as a file: one row a customer, a column per tag, and what each tag is in the
                 file's metadata
summary.py       What to say of a profiles table, and of one customer: coverage, quantiles, most frequent values,
                 freshness
update.py        New events and new attributes for the profiles of a folder, and new weights from what a campaign
                 achieved
"""

from campaignrl.profiles.store.build import Profiles as Profiles
from campaignrl.profiles.store.build import build_profiles as build_profiles
from campaignrl.profiles.store.columns import OTHER as OTHER
from campaignrl.profiles.store.columns import Tag as Tag
from campaignrl.profiles.store.columns import check_profiles as check_profiles
from campaignrl.profiles.store.columns import codes_of as codes_of
from campaignrl.profiles.store.columns import context_of as context_of
from campaignrl.profiles.store.columns import numbers_of as numbers_of
from campaignrl.profiles.store.columns import read_profiles as read_profiles
from campaignrl.profiles.store.columns import require_tags as require_tags
from campaignrl.profiles.store.columns import tags_of as tags_of
from campaignrl.profiles.store.exports import update_from_exports as update_from_exports
from campaignrl.profiles.store.folder import build_folder as build_folder
from campaignrl.profiles.store.profile_file import read_profiles_file as read_profiles_file
from campaignrl.profiles.store.summary import CustomerTag as CustomerTag
from campaignrl.profiles.store.summary import TagSummary as TagSummary
from campaignrl.profiles.store.summary import customer_tags as customer_tags
from campaignrl.profiles.store.summary import summarise_tags as summarise_tags
from campaignrl.profiles.store.update import Update as Update
from campaignrl.profiles.store.update import reweight_folder as reweight_folder
from campaignrl.profiles.store.update import update_folder as update_folder

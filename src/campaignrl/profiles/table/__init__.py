"""The profiles table: its columns, its file, what to say of it, and searching it.

cohorts.py       Searches kept under a name in a profile folder: who they find is asked anew each time
columns.py       The columns of a profiles table: which tag is a number, a yes/no, a category or a date, and its
                 values as arrays
expression.py    The language of searches: text -> a tree of comparisons, and/or/not; nothing is ever run
profile_file.py  A profiles table as a file: one row a customer, a column per tag, and what each tag is in the
                 file's metadata
search.py        Which customers a search finds: three answers a customer, yes, no and unknown
summary.py       What to say of a profiles table, and of one customer: coverage, quantiles, most frequent values,
                 freshness
"""

from campaignrl.profiles.table.cohorts import Cohort as Cohort
from campaignrl.profiles.table.cohorts import cohorts as cohorts
from campaignrl.profiles.table.cohorts import keep_cohort as keep_cohort
from campaignrl.profiles.table.cohorts import who as who
from campaignrl.profiles.table.columns import OTHER as OTHER
from campaignrl.profiles.table.columns import SEGMENT as SEGMENT
from campaignrl.profiles.table.columns import Tag as Tag
from campaignrl.profiles.table.columns import check_profiles as check_profiles
from campaignrl.profiles.table.columns import codes_of as codes_of
from campaignrl.profiles.table.columns import context_of as context_of
from campaignrl.profiles.table.columns import numbers_of as numbers_of
from campaignrl.profiles.table.columns import read_profiles as read_profiles
from campaignrl.profiles.table.columns import require_tags as require_tags
from campaignrl.profiles.table.columns import tags_of as tags_of
from campaignrl.profiles.table.profile_file import LIVE as LIVE
from campaignrl.profiles.table.profile_file import LIVE_FRESHNESS as LIVE_FRESHNESS
from campaignrl.profiles.table.profile_file import Facts as Facts
from campaignrl.profiles.table.profile_file import profile_facts as profile_facts
from campaignrl.profiles.table.profile_file import profile_path as profile_path
from campaignrl.profiles.table.profile_file import read_profiles_file as read_profiles_file
from campaignrl.profiles.table.profile_file import write_profiles as write_profiles
from campaignrl.profiles.table.search import Found as Found
from campaignrl.profiles.table.search import search as search
from campaignrl.profiles.table.summary import CustomerTag as CustomerTag
from campaignrl.profiles.table.summary import TagSummary as TagSummary
from campaignrl.profiles.table.summary import customer_tags as customer_tags
from campaignrl.profiles.table.summary import summarise_tags as summarise_tags
from campaignrl.profiles.table.summary import tag_tree as tag_tree

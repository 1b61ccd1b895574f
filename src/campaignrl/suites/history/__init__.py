"""What benchmarks found, commit by commit: a folder that keeps results, and what changed when.

accepted.py       regressions that somebody let stand, with the reason
change_points.py  where a policy's worth changed, seed by seed
commits.py        which commit a benchmark was made at, and which earlier one to compare with
entries.py        the folder: one Parquet file for each suite and commit
"""

from campaignrl.suites.history.accepted import Accepted as Accepted
from campaignrl.suites.history.accepted import accept as accept
from campaignrl.suites.history.accepted import accepted as accepted
from campaignrl.suites.history.accepted import with_accepted as with_accepted
from campaignrl.suites.history.change_points import ChangePoint as ChangePoint
from campaignrl.suites.history.change_points import change_points as change_points
from campaignrl.suites.history.commits import Commit as Commit
from campaignrl.suites.history.commits import ancestors as ancestors
from campaignrl.suites.history.commits import commit_of as commit_of
from campaignrl.suites.history.entries import Entry as Entry
from campaignrl.suites.history.entries import add_entry as add_entry
from campaignrl.suites.history.entries import base_for as base_for
from campaignrl.suites.history.entries import entries_of as entries_of
from campaignrl.suites.history.entries import folder_name as folder_name

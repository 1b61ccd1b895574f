"""What a handful of seeds says about a difference, as pure functions of arrays.

paired_test.py   interval of a difference over seeds, and the verdict
robust.py        inter-quartile mean and probability of improvement, over worlds and seeds
sample_size.py   how many seeds it takes: the detectable difference, and what would decide
"""

from campaignrl.suites.statistics.paired_test import EQUAL as EQUAL
from campaignrl.suites.statistics.paired_test import IMPROVEMENT as IMPROVEMENT
from campaignrl.suites.statistics.paired_test import INCONCLUSIVE as INCONCLUSIVE
from campaignrl.suites.statistics.paired_test import NEW as NEW
from campaignrl.suites.statistics.paired_test import NO_EVIDENCE as NO_EVIDENCE
from campaignrl.suites.statistics.paired_test import REGRESSION as REGRESSION
from campaignrl.suites.statistics.paired_test import Paired as Paired
from campaignrl.suites.statistics.paired_test import paired_difference as paired_difference
from campaignrl.suites.statistics.paired_test import relative_differences as relative_differences
from campaignrl.suites.statistics.paired_test import verdict as verdict
from campaignrl.suites.statistics.robust import Aggregate as Aggregate
from campaignrl.suites.statistics.robust import aggregate as aggregate
from campaignrl.suites.statistics.robust import interquartile_mean as interquartile_mean
from campaignrl.suites.statistics.robust import probability_of_improvement as probability_of_improvement
from campaignrl.suites.statistics.sample_size import POWER as POWER
from campaignrl.suites.statistics.sample_size import SURE as SURE
from campaignrl.suites.statistics.sample_size import chance_to_decide as chance_to_decide
from campaignrl.suites.statistics.sample_size import detectable_difference as detectable_difference
from campaignrl.suites.statistics.sample_size import seeds_to_decide as seeds_to_decide

"""Comparing policies on one log: paired lifts, subgroups, equivalence.

ahead.py            What a policy will earn over another in the days to come: the lift by day, carried on
equivalence.py      What the interval of a difference lets one say, and the difference between the values of two
                    logs
personalisation.py  Whether it pays to treat customers differently: the answer in one sentence, from intervals alone
policies.py         Questions about two or more policies on the same rows: which is better, for whom, at what cost,
                    at what risk
subgroups.py        What is asked beside a policy's value: for whom it is better, how likely it is worse, what the
                    gain costs
"""

from campaignrl.ope.comparison.ahead import lift_ahead as lift_ahead
from campaignrl.ope.comparison.equivalence import Conclusion as Conclusion
from campaignrl.ope.comparison.equivalence import conclude as conclude
from campaignrl.ope.comparison.equivalence import independent_difference as independent_difference
from campaignrl.ope.comparison.equivalence import interval as interval
from campaignrl.ope.comparison.personalisation import Finding as Finding
from campaignrl.ope.comparison.personalisation import personalising as personalising
from campaignrl.ope.comparison.policies import Comparison as Comparison
from campaignrl.ope.comparison.policies import Part as Part
from campaignrl.ope.comparison.policies import Rows as Rows
from campaignrl.ope.comparison.policies import compare_many_on_log as compare_many_on_log
from campaignrl.ope.comparison.subgroups import Breakdown as Breakdown
from campaignrl.ope.comparison.subgroups import breakdown as breakdown

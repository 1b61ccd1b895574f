"""Valuing whole episodes.

evaluate.py             What whole episodes would earn: the sequential half of `evaluate`
intervals.py            Intervals of what whole episodes earn, and of differences of it: t or percentile bootstrap
                        over customers
registry.py             Which sequential estimators there are, and what the log says of one policy's episodes
result.py               The answer of a sequential evaluation, and how it differs from that of single decisions when
                        shown
return_distribution.py  The distribution of an episode's return under another policy: quantiles and the mean of its
                        worst part
support_horizon.py      How far into an episode a log can follow another policy: effective sample size by step, and
                        the verdict on it
"""

from campaignrl.ope.episodes.evaluate import evaluate_episodes as evaluate_episodes
from campaignrl.ope.episodes.intervals import EPISODE_INTERVALS as EPISODE_INTERVALS
from campaignrl.ope.episodes.registry import SEQUENTIAL as SEQUENTIAL
from campaignrl.ope.episodes.result import EpisodeEvaluation as EpisodeEvaluation

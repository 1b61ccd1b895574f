"""Segments of customers: by rules, RFM or clustering, described in words, followed over time.

choose_k.py      How many segments: a number whose every segment comes out again when the customers are drawn again
clustering.py    Segments by clustering: k-means or a Gaussian mixture in the scaled space of tags, and who belongs
                 to which
describe.py      Segments in words: what stands out in each, a short rule that finds it again, and a name to start
                 from
drift.py         What changed between two dates: the tags, the shares of the segments, and who went where
rfm.py           Segments by recency, frequency and money: scores 1 to b by edges, cells, and the usual names for
                 groups of cells
rules.py         Segments by rule: conditions over tags, in the order of their file; the first that holds names the
                 customer
scaling.py       Tags -> the space in which customers are compared: logs of skewed numbers, standardised; categories
                 one-hot
segment_file.py  A set of segments as one JSON file: how to find a customer's segment, and how to draw customers of
                 each
segments.py      Segments: who belongs together, made by rules, by a grid of recency, frequency and money, or by
                 clustering
spec.py          The settings of a set of segments in TOML: the method, and the rules, edges or number of segments
                 it needs
wording.py       What to call a segment and how to say what sets it apart: words and figures for each kind of tag
"""

from campaignrl.profiles.segments.describe import columns_of as columns_of
from campaignrl.profiles.segments.drift import Drift as Drift
from campaignrl.profiles.segments.segment_file import load_segments as load_segments
from campaignrl.profiles.segments.segment_file import save_segments as save_segments
from campaignrl.profiles.segments.segments import Segmentation as Segmentation
from campaignrl.profiles.segments.segments import fit_segments as fit_segments
from campaignrl.profiles.segments.segments import meanings_of as meanings_of
from campaignrl.profiles.segments.spec import SegmentSpec as SegmentSpec
from campaignrl.profiles.segments.spec import read_segment_spec as read_segment_spec
from campaignrl.profiles.segments.spec import segment_spec as segment_spec
from campaignrl.profiles.segments.wording import Column as Column

"""The pictures of a report (matplotlib).

base.py                    The pictures of a report, as matplotlib figures made from plain arrays, and as SVG or PNG
                           bytes
budget_curve.py            The picture of a budget: what more or less money would bring, and where today's stands
calibration.py             Pictures of a calibration: purchase models against what customers did, and the panels of
                           a realism scorecard
captions.py                The pictures of a report: what of its content each one shows, and its caption
channel_load.py            The load of channels over time: who waits, how long, and how busy the servers are
doubts.py                  Pictures of what may be wrong with a lift: its bounds if propensities are off, and how it
                           goes over the days
effective_size_by_step.py  The picture of a sequential evaluation: how the evidence thins out from step to step
estimates.py               One picture for the pages of experiments: estimates with their intervals, in panels side
                           by side
evidence.py                What of a log speaks for a policy: its weights, its actions beside the logged ones, its
                           estimated propensities
lift_by_part.py            The picture of a lift by part: one line each, with its interval, and nothing as the line
                           to compare with
profiles.py                Pictures of segments: how many customers each has and what they are like, and who went
                           where between two dates
published.py               The picture of realism tables: every judged figure as a dot against its band, one column
                           a world
study.py                   The pictures of a study: what learning costs and brings, pressure on customers, budgets, and
                           estimates against truth
svg_inline.py              An SVG file -> an <svg> element for a page: the page's colours and fonts, ids that clash
                           with no other picture
training.py                The picture of a training: the curve, what is sent to whom, and which features speak for
                           which action
world.py                   The picture of a world, and its page: customers, funnels, wear-out, and the calendar with
                           nothing sent
"""

from campaignrl.report.figures.base import INK as INK
from campaignrl.report.figures.base import MUTED as MUTED
from campaignrl.report.figures.base import SERIES as SERIES
from campaignrl.report.figures.base import ForestRow as ForestRow
from campaignrl.report.figures.base import forest as forest
from campaignrl.report.figures.base import png_bytes as png_bytes
from campaignrl.report.figures.base import send_shares as send_shares
from campaignrl.report.figures.base import svg_bytes as svg_bytes
from campaignrl.report.figures.budget_curve import budget_curve as budget_curve
from campaignrl.report.figures.calibration import realism as realism
from campaignrl.report.figures.captions import Picture as Picture
from campaignrl.report.figures.channel_load import channel_load as channel_load
from campaignrl.report.figures.effective_size_by_step import ess_by_step as ess_by_step
from campaignrl.report.figures.estimates import Panel as Panel
from campaignrl.report.figures.estimates import Spot as Spot
from campaignrl.report.figures.estimates import panels as panels
from campaignrl.report.figures.evidence import evidence_pictures as evidence_pictures
from campaignrl.report.figures.profiles import heat as heat
from campaignrl.report.figures.profiles import migration_picture as migration_picture
from campaignrl.report.figures.profiles import segment_picture as segment_picture
from campaignrl.report.figures.published import published_figure as published_figure
from campaignrl.report.figures.study import Judged as Judged
from campaignrl.report.figures.study import Line as Line
from campaignrl.report.figures.study import curves_by_panel as curves_by_panel
from campaignrl.report.figures.study import estimates_against_truth as estimates_against_truth
from campaignrl.report.figures.study import gain_by_budget as gain_by_budget
from campaignrl.report.figures.study import learning_curves as learning_curves
from campaignrl.report.figures.study import over_time as over_time
from campaignrl.report.figures.svg_inline import inline_svg as inline_svg
from campaignrl.report.figures.training import training_figure as training_figure
from campaignrl.report.figures.world import world_figure as world_figure
from campaignrl.report.figures.world import world_page as world_page

"""How customers buy when nothing is sent: buy-till-you-die models and baskets.

base_rates.py           How customers order when nothing is sent to them: a segment's order rate, lifetime and
                        basket, from its history
beta_geometric.py       BG/NBD and MBG/NBD: gamma-distributed order rates, and a beta-distributed chance to drop out
                        after an order
constrained_pareto.py   The Pareto/NBD of a world whose orders another model foretells best: moved until both
                        foretell as many
fitting.py              Maximum likelihood of purchase models: from histories to a fitted model, with the search for
                        its parameters
forecast.py             One purchase model for all who forecast: chosen out of time, in a calendar of busy weeks,
                        regular where orders are
gamma_gamma.py          Gamma-Gamma: what an order is worth. Each customer's orders vary around a mean of its own,
                        whatever their number
histories.py            What purchase models are fitted on, all counted since the first order: repeat orders, time
                        of the last, time watched
lognormal_baskets.py    What orders are worth, lognormal: between customers, and between the orders of one
mbg_cnbd.py             MBG/CNBD-k: as MBG/NBD, but the time between two orders is Erlang-k: customers who reorder
                        regularly
models.py               Buy-till-you-die models, from one place: how often customers order, whether they still live,
                        what an order is worth
nbd.py                  NBD: orders are Poisson with gamma-distributed rates, and nobody ever leaves. What the other
                        models are held against
pareto_nbd.py           Pareto/NBD: orders are Poisson while the customer lives, lifetimes are exponential; both
                        rates are gamma-distributed
partial_pooling.py      Purchase models by segment: every segment has its own parameters, small ones lean on those
                        of all customers
rfm.py                  Order histories from an events table: repeat orders, time of the last one, time watched,
                        what was spent
seasonality.py          Purchase models where the calendar matters: how busy each week and weekday is, and rates
                        freed of it
untreated_histories.py  Histories that no campaign has touched, from events and attributes: what base rates are
                        fitted on
"""

from campaignrl.calibration.purchase.base_rates import Fitted as Fitted
from campaignrl.calibration.purchase.base_rates import Path as Path
from campaignrl.calibration.purchase.base_rates import log_covariance as log_covariance
from campaignrl.calibration.purchase.base_rates import pareto_numbers as pareto_numbers
from campaignrl.calibration.purchase.forecast import Forecast as Forecast
from campaignrl.calibration.purchase.forecast import Tried as Tried
from campaignrl.calibration.purchase.forecast import choose as choose
from campaignrl.calibration.purchase.histories import distinct as distinct
from campaignrl.calibration.purchase.histories import histories as histories
from campaignrl.calibration.purchase.lognormal_baskets import lognormal_basket as lognormal_basket
from campaignrl.calibration.purchase.models import FITS as FITS
from campaignrl.calibration.purchase.models import GammaGamma as GammaGamma
from campaignrl.calibration.purchase.models import fit_gamma_gamma as fit_gamma_gamma
from campaignrl.calibration.purchase.models import fit_mbg_nbd as fit_mbg_nbd
from campaignrl.calibration.purchase.models import fit_pareto_nbd as fit_pareto_nbd
from campaignrl.calibration.purchase.rfm import summarise as summarise
from campaignrl.calibration.purchase.seasonality import Purchases as Purchases
from campaignrl.calibration.purchase.seasonality import fit_season as fit_season
from campaignrl.calibration.purchase.seasonality import later_factors as later_factors
from campaignrl.calibration.purchase.untreated_histories import Base as Base
from campaignrl.calibration.purchase.untreated_histories import Chosen as Chosen
from campaignrl.calibration.purchase.untreated_histories import base_of_events as base_of_events
from campaignrl.calibration.purchase.untreated_histories import labels_of as labels_of

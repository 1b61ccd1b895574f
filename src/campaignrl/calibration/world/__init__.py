"""From fitted numbers to the TOML of a world.

calendar.py                     The calendar of a calibrated world: how busy the weeks were that its purchase model
                                saw, and those to come
currency.py                     The sums that a template lends, in the currency of the data: converted by a rate that
                                somebody states, or refused
draft.py                        The first draft of a world: what the log and the profiles say outright, and a
                                template for the rest
method_of_simulated_moments.py  Solving for a world's numbers: the campaign is replayed until simulated figures are
                                the real ones
replay.py                       The same campaign in a simulated world: who got what on which day, again, with
                                simulated customers
world_file.py                   A world as a TOML file that people can read: one number a line, and beside it where
                                it came from
"""

from campaignrl.calibration.world.calendar import calendar as calendar
from campaignrl.calibration.world.currency import in_currency as in_currency
from campaignrl.calibration.world.draft import only_rules_that_hold as only_rules_that_hold
from campaignrl.calibration.world.draft import with_attributes as with_attributes
from campaignrl.calibration.world.method_of_simulated_moments import Matched as Matched
from campaignrl.calibration.world.method_of_simulated_moments import get as get
from campaignrl.calibration.world.method_of_simulated_moments import match as match
from campaignrl.calibration.world.method_of_simulated_moments import put as put
from campaignrl.calibration.world.replay import days_needed as days_needed
from campaignrl.calibration.world.replay import replay as replay
from campaignrl.calibration.world.world_file import save_world as save_world
from campaignrl.calibration.world.world_file import write_world as write_world

"""What worlds are made of, as checked TOML, and where bundled files lie.

arrivals.py        What a world's file says of customers who arrive during the campaign
bundled.py         Where the files that ship with the package are, specifications and trained policies: in the wheel,
                   or the checkout
conditions.py      Conditions in TOML: `stage in ['at_risk', 'dormant'] or segment == 'price_sensitive'`
content_hash.py    What a world is, as a hash of its content: equal hashes, equal behaviour
guard_spec.py      What a world's file says of rules: its `[guard]`, which may never be broken
market.py          What a world's file says of money, channels, offers, creatives and slots
provenance.py      Where a number of a world came from: fitted from data, a default, or a user's word
rule_checks.py     What no single field of a world's rules can know: offers that are named, columns that meet, margins
segments.py        What a world's file says of its customers: segments and the distribution of their traits
tags.py            What a world's file says of the tags that are seen of its customers
world.py           A world in TOML -> a checked, frozen `World`: who the customers are, how they respond, what may be
                   sent
world_checks.py    What no single field of a world can know: sums of shares, names that meet, amounts, conditions
world_features.py  The features of a simulated customer, by name: the list a world, a log, a table and a bundle share
"""

from campaignrl.quantities import MOST as MOST
from campaignrl.specs.arrivals import Arrivals as Arrivals
from campaignrl.specs.bundled import bundled_files as bundled_files
from campaignrl.specs.bundled import find_file as find_file
from campaignrl.specs.bundled import pretrained_files as pretrained_files
from campaignrl.specs.conditions import LARGEST as LARGEST
from campaignrl.specs.conditions import Condition as Condition
from campaignrl.specs.conditions import compile_condition as compile_condition
from campaignrl.specs.content_hash import digest as digest
from campaignrl.specs.content_hash import guard_hash as guard_hash
from campaignrl.specs.content_hash import world_hash as world_hash
from campaignrl.specs.guard_spec import Cap as Cap
from campaignrl.specs.guard_spec import DiscountDepth as DiscountDepth
from campaignrl.specs.guard_spec import Gap as Gap
from campaignrl.specs.guard_spec import QuietHours as QuietHours
from campaignrl.specs.market import ChannelSpec as ChannelSpec
from campaignrl.specs.market import CreativeSpec as CreativeSpec
from campaignrl.specs.market import OfferKind as OfferKind
from campaignrl.specs.market import OfferSpec as OfferSpec
from campaignrl.specs.market import SlotSpec as SlotSpec
from campaignrl.specs.provenance import Provenance as Provenance
from campaignrl.specs.provenance import leaves as leaves
from campaignrl.specs.provenance import lent_responses as lent_responses
from campaignrl.specs.provenance import place as place
from campaignrl.specs.rule_checks import consent_column as consent_column
from campaignrl.specs.rule_checks import offer_column as offer_column
from campaignrl.specs.segments import Segment as Segment
from campaignrl.specs.world import World as World
from campaignrl.specs.world import WorldReference as WorldReference
from campaignrl.specs.world import load_world as load_world
from campaignrl.specs.world_features import PRICE_LEVELS as PRICE_LEVELS
from campaignrl.specs.world_features import STAGES as STAGES
from campaignrl.specs.world_features import feature_schema as feature_schema
from campaignrl.toml import Spec as Spec
from campaignrl.toml import check as check
from campaignrl.toml import field_problems as field_problems
from campaignrl.toml import quoted as quoted
from campaignrl.toml import read_toml as read_toml

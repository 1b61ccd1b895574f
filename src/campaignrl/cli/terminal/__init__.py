"""What all verbs share: how they talk, how their inputs are read, options with one wording.

console.py           How every verb talks: tables and JSON on stdout, notes and progress bars on stderr
evaluate_options.py  The options of `campaignrl evaluate`, each with its sentence
examples.py          What stands at the end of every verb's help: two calls that run
inputs.py            The inputs of a call, read so that all that is wrong with them is said at once
options.py           Arguments and options that several verbs share, with one wording
"""

from campaignrl.cli.terminal.console import progress as progress
from campaignrl.cli.terminal.console import say as say
from campaignrl.cli.terminal.console import say_json as say_json
from campaignrl.cli.terminal.console import say_table as say_table
from campaignrl.cli.terminal.console import talk as talk
from campaignrl.cli.terminal.examples import epilog_of as epilog_of
from campaignrl.cli.terminal.inputs import Inputs as Inputs
from campaignrl.cli.terminal.inputs import day_of as day_of
from campaignrl.cli.terminal.inputs import policy_name as policy_name
from campaignrl.cli.terminal.options import Customers as Customers
from campaignrl.cli.terminal.options import Encoding as Encoding
from campaignrl.cli.terminal.options import Json as Json
from campaignrl.cli.terminal.options import Output as Output
from campaignrl.cli.terminal.options import PolicyName as PolicyName
from campaignrl.cli.terminal.options import Seed as Seed
from campaignrl.cli.terminal.options import Threads as Threads
from campaignrl.cli.terminal.options import WorldName as WorldName

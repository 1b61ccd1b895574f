"""What all verbs share and nothing heavy: how they talk, options with one wording, examples of help pages.

console.py           How every verb talks: tables and JSON on stdout, notes and progress bars on stderr
decide_options.py    The options of `campaignrl decide`, each with its sentence
evaluate_options.py  The options of `campaignrl evaluate`, each with its sentence
examples.py          What stands at the end of every verb's help: two calls that run
options.py           Arguments and options that several verbs share, with one wording
"""

from campaignrl.cli.terminal.console import progress as progress
from campaignrl.cli.terminal.console import say as say
from campaignrl.cli.terminal.console import say_json as say_json
from campaignrl.cli.terminal.console import say_table as say_table
from campaignrl.cli.terminal.console import talk as talk
from campaignrl.cli.terminal.examples import epilog_of as epilog_of
from campaignrl.cli.terminal.options import Customers as Customers
from campaignrl.cli.terminal.options import Encoding as Encoding
from campaignrl.cli.terminal.options import Json as Json
from campaignrl.cli.terminal.options import Output as Output
from campaignrl.cli.terminal.options import PolicyName as PolicyName
from campaignrl.cli.terminal.options import Seed as Seed
from campaignrl.cli.terminal.options import Threads as Threads
from campaignrl.cli.terminal.options import WorldName as WorldName

"""The command line: one thin command a verb. Data on stdout, talk and progress bars on stderr.

abtest.py          `campaignrl abtest`: plan a test of two policies, assign customers to it, and read it
benchmark.py       `campaignrl benchmark` and `campaignrl compare`: policies over many seeds, and the gate for CI
calibrate.py       `campaignrl calibrate`: a world from one's own data
demo.py            `campaignrl demo`: the main job on a bundled world, ending in a report and a send list
evaluate.py        `campaignrl evaluate`: what a policy would earn, from a log; exit code 4 where the log cannot say
inputs.py          The inputs of a call, read so that all that is wrong with them is said at once, before anything is
                   done
loop.py            `campaignrl init`, `today`, `approve`, `halt`: a folder that a marketing team lives in
main.py            The app: which verbs there are, their exit codes, and what happens to errors
simulate.py        `campaignrl simulate`: run a policy in a world, by the day or by the hour, and write what happened
train.py           `campaignrl train`: teach a learner from a log or in a world, and save it as a bundle
world.py           `campaignrl world`: which worlds there are, what is in one, and every mistake in a file
world_features.py  `campaignrl world features`: the columns of a customers table, and a template of it
profiles/          `campaignrl profile`: customers from their events, shown, searched, cut into segments, kept live
service/           The decision service: serve, store
sends/             Today's sends: decide, ledger, guard, audit, erase
terminal/          What all verbs share and nothing heavy: how they talk, options with one wording, examples of help
                   pages
"""

from campaignrl.cli.terminal import say as say
from campaignrl.cli.terminal import say_table as say_table

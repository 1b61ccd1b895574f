"""Decisions on more customers than fit into memory, shard by shard, by one process, several, or a cluster.

arrays_file.py     Named arrays as one file that appears whole or not at all, with a note beside them
between.py         What only all shards together say: ids that come twice, a list or rows of another day, shared
                   addresses, a name
customers_file.py  A shard of customers as a file: everything that was read of them, so that the source is read once
engines.py         Who does the work: this process, others of this machine, or a cluster that sees the same folders
job.py             A run in shards as its workers know it: which rows are whose, what holds of all, and where everything
                   lies
outputs.py         The files and the ledger of a run in shards, written part by part: the bytes are those of a run over
                   the whole table
repeat.py          A run that is in the ledger already: what it decided then, laid out shard by shard
run.py             Decisions on more customers than fit into memory: a Parquet file, shard by shard, to send list, log
                   and ledger
steps.py           What is done to one shard of customers: looked at, offered something, told. Pure functions of a job
                   and a shard
work_folder.py     The folder of a run in shards: what is done stays done, so that a run that was killed goes on where
                   it was
"""

from campaignrl.send.shards.engines import Engine as Engine
from campaignrl.send.shards.engines import engine as engine
from campaignrl.send.shards.engines import require_engine as require_engine
from campaignrl.send.shards.job import SHARD as SHARD
from campaignrl.send.shards.job import is_typed as is_typed
from campaignrl.send.shards.run import InShards as InShards
from campaignrl.send.shards.run import decide_in_shards as decide_in_shards

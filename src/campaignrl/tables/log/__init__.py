"""The decision log: its contract, its files, whole or as a stream.

columns.py          The decision log as columns of a file: DecisionLog -> Arrow batches
customer_sketch.py  Which customers a log holds, as 256 numbers: enough to tell later whether another log shares
                    customers with it
decision_log.py     The decision log: one row a decision, with the propensity after the guard. The only thing the
                    evaluator reads
files.py            Decision logs as files: Parquet, or CSV with a sidecar that holds what CSV cannot
frames.py           The decision log as a pandas frame, and back: the columns of its file, in memory
rows.py             Columns of a file -> DecisionLog: every promise of the contract checked, all bad rows reported
                    at once
split.py            Splitting a decision log in two by customer, so that what is learned on one part is judged on
                    the other
stream.py           A Parquet decision log read a piece at a time, in bounded memory, with the promises of the
                    contract kept in each
"""

from campaignrl.tables.log.columns import id_lists as id_lists
from campaignrl.tables.log.customer_sketch import FACT as FACT
from campaignrl.tables.log.customer_sketch import CustomerSketch as CustomerSketch
from campaignrl.tables.log.customer_sketch import sketch_of as sketch_of
from campaignrl.tables.log.decision_log import PER_ROW as PER_ROW
from campaignrl.tables.log.decision_log import DecisionLog as DecisionLog
from campaignrl.tables.log.decision_log import repeated as repeated
from campaignrl.tables.log.files import is_own_log as is_own_log
from campaignrl.tables.log.files import log_rows as log_rows
from campaignrl.tables.log.files import log_writers as log_writers
from campaignrl.tables.log.files import parts_writer as parts_writer
from campaignrl.tables.log.files import read_own_log as read_own_log
from campaignrl.tables.log.files import write_log as write_log
from campaignrl.tables.log.rows import built as built
from campaignrl.tables.log.rows import numbered as numbered
from campaignrl.tables.log.rows import unknown_names as unknown_names
from campaignrl.tables.log.split import split_by_customer as split_by_customer
from campaignrl.tables.log.stream import LogInMemory as LogInMemory
from campaignrl.tables.log.stream import LogStream as LogStream
from campaignrl.tables.log.stream import Piece as Piece
from campaignrl.tables.log.stream import open_log as open_log
from campaignrl.tables.log.stream import pieces as pieces
from campaignrl.tables.log.stream import starts_of as starts_of

"""The decision log: its contract, its files, whole or as a stream.

columns.py          The decision log as columns of a file: DecisionLog -> Arrow batches
customer_sketch.py  Which customers a log holds, as 256 numbers: enough to tell later whether another log shares
                    customers with it
decision_log.py     The decision log: one row a decision, with the propensity after the guard. The only thing the
                    evaluator reads
files.py            Decision logs as files: Parquet, or CSV with a sidecar that holds what CSV cannot
rows.py             Columns of a file -> DecisionLog: every promise of the contract checked, all bad rows reported
                    at once
split.py            Splitting a decision log in two by customer, so that what is learned on one part is judged on
                    the other
stream.py           A Parquet decision log read a piece at a time, in bounded memory, with the promises of the
                    contract kept in each
"""

"""Contracts of the tables that go in and out: customers, events, decisions.

decision_log.py        the decision log in memory and its contract
split.py            a log in two parts, by customer
whole_files.py          decision logs as Parquet and CSV files: write_log, read_log
columns.py         a decision log -> the columns of its file
rows.py          the columns of a file -> a decision log, everything checked
columns.py          one column -> one array, with the rows that do not fit
mapping.py          what a mapping TOML may say about a foreign log
log.py          a foreign log, read by a mapping
actions.py  which actions a foreign log holds
contexts.py  what was known at each of its rows
expressions.py      arithmetic on columns
whole_files.py            whole-or-nothing writing, frames of any supported format
formats.py          what a file is, by name and by content
csv_text.py          CSV as exact text
"""

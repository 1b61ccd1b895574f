"""Contracts of the tables that go in and out: customers, events, decisions.

decisions.py  the decision log in memory and its contract
logfile.py    decision logs as Parquet and CSV files
mapping.py    foreign logs, read by a mapping TOML
files.py      whole-or-nothing writing, tables of any supported format
"""

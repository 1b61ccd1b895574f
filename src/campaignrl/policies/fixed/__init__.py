"""Policies that learn nothing.

rules.py   A table of rules, first match first: what a marketing team does without learning
simple.py  Policies that learn nothing: `none`, `uniform`, `always`
"""

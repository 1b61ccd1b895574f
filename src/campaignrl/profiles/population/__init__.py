"""Populations of customers like those of a profile, any number of them.

copula.py           The customers of one segment as tables and a Gaussian copula: fitting it
dependence.py       How tags hang together: a tree of tables between categories (Chow & Liu 1968), rank correlations
                    between numbers
exact_relations.py  Exact relations between the numbers of a profiles table, which a correlation alone would blur
fidelity.py         How alike drawn and real customers are: every marginal, every pair of tags, and a classifier
                    that tries to tell them
population.py       A population: any number of customers drawn from segments, alike in their tags to those the
                    segments were made of
quantile_tables.py  The marginal of one number within a segment: a table from probability to value
"""

from campaignrl.profiles.population.fidelity import Fidelity as Fidelity
from campaignrl.profiles.population.fidelity import held_out_fidelity as held_out_fidelity
from campaignrl.profiles.population.population import LABEL as LABEL
from campaignrl.profiles.population.population import Population as Population
from campaignrl.profiles.population.population import fit_population as fit_population

"""Profiles: from raw exports to tags, segments and populations.

events/      The events of a profile up to a day, and order histories made of them
feedback/    What customers write: words, a mood learned from the shop's own scores, and both as attributes
intake/      Raw exports to one events table, with nothing lost on the way
items/       Product recommendation: which items to show each customer, and whether that is any good
live/        Profiles kept live: new events refresh the customers they touch within a second, between two updates
population/  Populations of customers like those of a profile, any number of them
segments/    Segments of customers: by rules, RFM or clustering, described in words, followed over time
store/       The profile folder: building, updating and reading it
table/       The profiles table: its columns, its file, what to say of it, and searching it
tags/        Tags of a customer: the tag set, statistics of events, learned models
"""

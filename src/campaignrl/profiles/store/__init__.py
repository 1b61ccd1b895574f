"""The profile folder: building, updating and reading it.

build.py         Events and attributes -> a profiles table: every tag of a set for every customer, with the
                 freshness of each
columns.py       The columns of a profiles table: which tag is a number, a yes/no, a category or a date, and its
                 values as arrays
folder.py        A profile folder: events, attributes, their refreshes, the tags made from them, and how they were
                 made
profile_file.py  A profiles table as a file: one row a customer, a column per tag, and what each tag is in the
                 file's metadata
summary.py       What to say of a profiles table, and of one customer: coverage, quantiles, most frequent values,
                 freshness
update.py        New events and new attributes for the profiles of a folder, and new weights from what a campaign
                 achieved
"""

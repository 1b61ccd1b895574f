"""Tables of databases as files: SQLite, DuckDB and PostgreSQL, read only, streamed, in their own types.

address.py       Where a database is, as a mapping writes it: the URL, secrets from the environment, what may be shown
duckdb_file.py   A table or a query of a DuckDB file, in its own types
extract.py       A table or a query of a database -> a Parquet file: which kind of database reads it, and errors that
                 name it
postgresql.py    A table or a query of a PostgreSQL server, by a cursor on the server, in one read-only transaction
sqlite.py        A table or a query of a SQLite file; the type of a column is that of its values
statements.py    What queries of all databases share: quoted names, the table that is meant, a query as part of another
                 one
"""

from campaignrl.tables.databases.address import Address as Address
from campaignrl.tables.databases.address import address_problem as address_problem
from campaignrl.tables.databases.extract import extract as extract

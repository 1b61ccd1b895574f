"""The tables of the store. The same on SQLite and on PostgreSQL.

Days are days since 1970-01-01, money is whole minor units, times are seconds since 1970-01-01 UTC. `record` is a row
of the ledger's decisions as JSON: an object, or, since version 3, a list that begins with the form that names its cells
(decided.py). Not here: how an older store becomes one like this (migrations.py).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)

metadata = MetaData()
Number = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up by itself in INTEGER alone


def _sequence() -> Column[int]:
    return Column("seq", Number, primary_key=True, autoincrement=True)


facts = Table("facts", metadata, Column("name", String, primary_key=True), Column("value", Text, nullable=False))

customers = Table(
    "customers",
    metadata,
    Column("customer_id", String, primary_key=True),
    Column("row", Text, nullable=False),
    Column("version", Number, nullable=False),
    Index("customers_by_version", "version"),
)

decisions = Table(
    "decisions",
    metadata,
    _sequence(),
    Column("decision_id", String, nullable=False, unique=True),
    Column("customer_id", String, nullable=False),
    Column("day", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("key", String, nullable=False),  # of the request, with its owner
    Column("action", Integer, nullable=False),
    Column("policy_id", String, nullable=False),
    Column("fallback", Boolean, nullable=False),
    Column("record", Text, nullable=False),
    Index("decisions_by_customer", "customer_id", "day"),
)

forms = Table(
    "forms",
    metadata,
    Column("id", String, primary_key=True),  # a hash of what it says
    Column("members", Text, nullable=False),
)

sends = Table(
    "sends",
    metadata,
    Column("decision_id", String, primary_key=True),
    Column("customer_id", String, nullable=False),
    Column("day", Integer, nullable=False),
    Column("channel", String, nullable=False),
    Column("offer", String, nullable=False),
    Column("cost", Number, nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("expires", Float, nullable=False),
    Column("address", String, nullable=False),  # "" of none
    Index("sends_by_customer", "customer_id", "day"),
)
HAS_ADDRESS = sends.c.address != literal_column("''")  # written out, as an index of some rows asks for
Index("sends_by_address", sends.c.address, sqlite_where=HAS_ADDRESS, postgresql_where=HAS_ADDRESS)

totals = Table(
    "totals",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Number, nullable=False),
)

handovers = Table(
    "handovers",
    metadata,
    _sequence(),
    Column("decision_id", String, nullable=False),
    Column("status", String, nullable=False),
    Column("day", Integer, nullable=False),
    Column("arrived", Integer, nullable=False),
    UniqueConstraint("decision_id", "status"),
)

outcomes = Table(
    "outcomes",
    metadata,
    _sequence(),
    Column("outcome_id", String, nullable=False, unique=True),
    Column("decision_id", String, nullable=False),
    Column("customer_id", String, nullable=False),
    Column("day", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("margin", Number, nullable=False),
    Column("arrived", Integer, nullable=False),
    Index("outcomes_by_customer", "customer_id"),
    Index("outcomes_by_decision", "decision_id"),
)

permissions = Table(
    "permissions",
    metadata,
    _sequence(),
    Column("customer_id", String, nullable=False),
    Column("spelled", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("allowed", Boolean, nullable=False),
    Column("day", Integer, nullable=False),
    Column("arrived", Integer, nullable=False),
    Column("source", String, nullable=False),
    UniqueConstraint("customer_id", "channel", "allowed", "day"),
    Index("permissions_by_spelling", "spelled"),
)

erased = Table(
    "erased",
    metadata,
    Column("hash", String, primary_key=True),
    Column("customer_id", String, nullable=False),  # "" once the ledger has forgotten them, too
    Column("day", Integer, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    Column("key", String, primary_key=True),  # the owner's name before it
    Column("body_hash", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Float, nullable=False),
    Index("answers_by_time", "at"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("name", String, primary_key=True),
    Column("hash", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("created", Float, nullable=False),
    Column("revoked", Float),
)

trail = Table(
    "trail",
    metadata,
    _sequence(),
    Column("at", Float, nullable=False),
    Column("who", String, nullable=False),
    Column("what", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("before", String, nullable=False),
    Column("entry", String, nullable=False, unique=True),
)

policies = Table(
    "policies",
    metadata,
    Column("name", String, primary_key=True),  # how it was named: a bundle's path, a bundled name
    Column("hash", String, nullable=False),
    Column("role", String, nullable=False),  # champion, shadow, former, dismissed
    Column("at", Float, nullable=False),
)

shadows = Table(
    "shadows",
    metadata,
    _sequence(),
    Column("decision_id", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("action", Integer, nullable=False),
    Column("chance", Float, nullable=False),  # of the action that was taken
    Index("shadows_by_decision", "decision_id"),
)

flows = Table(
    "flows",
    metadata,
    Column("what", String, primary_key=True),  # a table
    Column("done", Number, nullable=False),  # last row that the ledger has
    Column("meant", Number, nullable=False),  # last row of the append that was begun
)

"""What was answered to a key, so that the same request gets the same bytes and nothing happens twice.

Written in the transaction that decided. Not here: which requests need a key (api/).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update

from campaignrl.service.store.database import Question, put_rows
from campaignrl.service.store.schema import answers, decisions

ERASED = b""
ANSWERS = Question(
    lambda listed: select(answers.c.key, answers.c.body_hash, answers.c.status, answers.c.body).where(
        listed(answers.c.key, "keys")
    )
)


class Answer(NamedTuple):
    """What was answered: the hash of the question, a status, bytes."""

    body_hash: str
    status: int
    body: bytes


def hash_of_body(body: bytes) -> str:
    """Of a request's body."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def answers_to(con: Connection, keys: Iterable[str]) -> dict[str, Answer]:
    """What was answered to each of these keys before."""
    rows = ANSWERS.rows(con, {"keys": list(keys)})
    return {key: Answer(body_hash, status, bytes(body)) for key, body_hash, status, body in rows}


def keep_answers(con: Connection, given: dict[str, Answer], at: float) -> None:
    """Remember what is about to be answered."""
    said = dict(zip(Answer._fields, zip(*given.values(), strict=True), strict=True))
    put_rows(con, answers, {"key": list(given), **said, "at": [at] * len(given)})


def forget_answers(con: Connection, customer: str) -> None:
    """Take what was answered of a customer away; the keys stay, so that nothing is decided for them again."""
    keys = select(decisions.c.key).where(decisions.c.customer_id == customer)
    con.execute(update(answers).where(answers.c.key.in_(keys)).values(status=410, body=ERASED))


def drop_answers(con: Connection, before: float) -> int:
    """Forget keys of long ago; how many."""
    return con.execute(delete(answers).where(answers.c.at < before)).rowcount

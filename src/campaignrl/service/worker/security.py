"""Who may do what: tokens, of which only a hash is kept, with one of four roles.

    viewer    reads                           sender    decides, hands over, reports outcomes and permissions
    marketer  also promotes and rolls back    admin     also erases, halts, makes and revokes tokens
Each may what those before it may. Not here: the routes that ask (api/).
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from campaignrl.errors import Problem, UsageError, nearest
from campaignrl.service.ground import Refused
from campaignrl.service.store import Store, note, tokens

ROLES = ("viewer", "sender", "marketer", "admin")
PREFIX = "crl_"
LONGEST = 128
KEPT = 2.0  # seconds for which a token's answer is kept: so long a revoked one may still be taken


class Caller(NamedTuple):
    """Who sent a request."""

    name: str
    role: str

    def require(self, role: str) -> None:
        """Refused (403) for a lesser role."""
        if ROLES.index(self.role) < ROLES.index(role):
            raise Refused(403, f"This needs a token of role {role}; this one's role is {self.role}.")


ANYBODY = Caller("anybody", "admin")


def make_token(con: Connection, name: str, role: str, who: str) -> str:
    """A new token, which nobody can be told again.

    Raises:
        UsageError: the name is taken or empty, or there is no such role.
    """
    if role not in ROLES:
        raise UsageError(Problem("token", "role", role, f"one of {', '.join(ROLES)}", nearest(role, ROLES)))
    if not name.strip() or len(name) > LONGEST or ":" in name:
        raise UsageError(Problem("token", "name", name, f"a name of at most {LONGEST} characters, without a colon"))
    if con.execute(select(tokens.c.name).where(tokens.c.name == name)).scalar() is not None:
        raise UsageError(Problem("token", "name", name, "a name that no token has had", "Give it another one."))
    made = PREFIX + secrets.token_urlsafe(32)
    con.execute(insert(tokens).values(name=name, hash=_hash(made), role=role, created=time.time()))
    note(con, who, "token made", time.time(), {"name": name, "role": role})
    return made


def revoke_token(con: Connection, name: str, who: str) -> None:
    """A token that nobody is let in with any more.

    Raises:
        UsageError: there is no such token that holds.
    """
    hit = (tokens.c.name == name) & tokens.c.revoked.is_(None)
    if con.execute(update(tokens).where(hit).values(revoked=time.time())).rowcount != 1:
        raise UsageError(Problem("token", "name", name, "that of a token that holds"))
    note(con, who, "token revoked", time.time(), {"name": name})


def list_tokens(con: Connection) -> list[dict[str, object]]:
    """Name, role and state of every token, by name."""
    rows = con.execute(select(tokens).order_by(tokens.c.name)).mappings()
    return [{"name": row["name"], "role": row["role"], "holds": row["revoked"] is None} for row in rows]


class Door:
    """Lets callers in by the header `Authorization: Bearer TOKEN`."""

    def __init__(self, store: Store, *, open_without_token: bool = False) -> None:
        """open_without_token: everybody is an admin, for trials on one's own machine."""
        self._store, self._open = store, open_without_token
        self._known: dict[str, tuple[float, Caller]] = {}

    def known(self, header: str | None) -> Caller | None:
        """The caller, where it was let in a moment ago; None: the store must be asked."""
        if self._open and header is None:
            return ANYBODY
        found = self._known.get(_hash(_token(header)))
        return found[1] if found is not None and time.monotonic() - found[0] < KEPT else None

    def caller(self, header: str | None) -> Caller:
        """The caller; Refused (401) without a token that holds."""
        digest = _hash(_token(header))
        with self._store.reading() as con:
            row = con.execute(select(tokens).where(tokens.c.hash == digest)).mappings().first()
        if row is None or row["revoked"] is not None:
            self._known.pop(digest, None)
            raise Refused(401, "This token is not known, or was revoked.")
        found = Caller(row["name"], row["role"])
        if len(self._known) > 1_000:
            self._known.clear()
        self._known[digest] = time.monotonic(), found
        return found


def _token(header: str | None) -> str:
    kind, _, token = (header or "").partition(" ")
    if kind.lower() != "bearer" or not token.isascii() or not 0 < len(token) <= LONGEST:
        raise Refused(401, "Send the header Authorization: Bearer TOKEN.")
    return token


def _hash(token: str) -> str:
    """Tokens are 256 random bits, so that a plain hash of one tells nothing."""
    return hashlib.sha256(token.encode()).hexdigest()

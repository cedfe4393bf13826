"""Who may do what, what they propose, and what they did."""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, LargeBinary, SmallInteger, Table, Text

from registry.store.tables.metadata import METADATA

# Tokens, also those that are revoked or over. digest: SHA-256 of the whole token, which is kept nowhere. scope: msgpack
# of the Scope (registry/rights/token.py). Times: seconds since 1970, UTC.
TOKENS: Final = Table(
    "tokens",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("scope", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Float, nullable=True),
    Column("revoked_at", Float, nullable=True),
    Column("revoked_by", Text, nullable=True),
)

# People who sign in (registry/rights/records.py). kind: user, binding, session, seen, link. version: one more with each
# write of the row, so that an older state never takes a younger one's place. value: msgpack; NULL: it is gone. until:
# seconds since 1970 from which on it counts for nothing and is forgotten; NULL: it stays.
PEOPLE: Final = Table(
    "people",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("until", Float, nullable=True),
    Column("value", LargeBinary, nullable=True),
)

# Changes of documents before, and after, they are published (registry/proposals/records.py). state: of that file.
# version: one more with each write. revision: that it became; NULL: none. value: msgpack.
PROPOSALS: Final = Table(
    "proposals",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("revision", BigInteger, nullable=True),
    Column("value", LargeBinary, nullable=False),
    Index("proposals_by_revision", "revision"),
    Index("proposals_by_state", "state", "number"),
)

# Who did what; each row's hash is over the row and the hash before (meshway/audit.py). detail: JSON. revision 0: none.
AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("principal", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

# Two rows at most. 1, once something was done: the last of `audit`, so that rows cut off at its end are missed. 2, once
# rows were forgotten at their age: the last of those.
AUDIT_HEAD: Final = Table(
    "audit_head",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

"""What revisions write: the mesh as it is, its documents as they were, and the log of changes."""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, SmallInteger, Table, Text

from registry.store.tables.metadata import METADATA

# One row. revision: the last one given. epoch: id of this unbroken history. instances: the last instance number given.
# history_from: what documents were is known at this revision and later ones.
HEAD: Final = Table(
    "head",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("instances", BigInteger, nullable=False),
    Column("history_from", BigInteger, nullable=False, server_default="0"),
)

NAMESPACES: Final = Table(
    "namespaces",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("created_at", Float, nullable=False),
)

# value: msgpack of the Instance as the feed carries it. token: the random part of the lease's id.
# wanted: the status a critical instance has again when it renews. critical_since: the revision that made it critical;
# 0 where it is not.
INSTANCES: Final = Table(
    "instances",
    METADATA,
    Column("namespace", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("token", Text, nullable=False),
    Column("ttl_s", Integer, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("critical_since", BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
    # Renewed registrations update in place on half-empty pages (HOT): less PostgreSQL CPU.
    postgresql_with={"fillfactor": 60},
)

# value: msgpack of the Document as the feed carries it. Times: seconds since 1970, UTC. sealed: what a Secret holds,
# sealed (registry/sealing.py); NULL of all others.
DOCUMENTS: Final = Table(
    "documents",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("namespace", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("updated_by", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=True),
)

# The states documents had, every one since `head.history_from`. value: NULL where it was deleted.
DOCUMENT_HISTORY: Final = Table(
    "document_history",
    METADATA,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("namespace", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("at", Float, nullable=False),
    Column("by", Text, nullable=False),
    Column("value", LargeBinary, nullable=True),
    Index("document_history_by_key", "kind", "namespace", "name", "revision"),
)

# The change log. position: place within the revision. value: NULL is a tombstone. kept: what the row holds beside its
# value, as msgpack, so that another registry's view can follow from the log alone (registry/view/rows.py).
CHANGES: Final = Table(
    "changes",
    METADATA,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("value", LargeBinary, nullable=True),
    Column("kept", LargeBinary, nullable=True),
    sqlite_with_rowid=False,
)

# What a POST or PATCH with an Idempotency-Key answered. fingerprint: digest of the body it came with.
IDEMPOTENCY_KEYS: Final = Table(
    "idempotency_keys",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("at", Float, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Index("idempotency_keys_by_age", "at"),
)

# Registries that hold a piece of work off, each until it lets go; the lock that says the same goes with its session.
HOLDS: Final = Table(
    "holds",
    METADATA,
    Column("what", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
)

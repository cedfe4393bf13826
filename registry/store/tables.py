"""The tables, once, for SQLite and PostgreSQL. `migrations/` brings a database to them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

METADATA: Final = MetaData()

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

# What seals what the store holds, wrapped by a master key that it does not hold.
DATA_KEYS: Final = Table(
    "data_keys",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

# Registries that hold a piece of work off, each until it lets go; the lock that says the same goes with its session.
HOLDS: Final = Table(
    "holds",
    METADATA,
    Column("what", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
)

# One row, once there is an authority. phase: of a change of the root, `registry/identity/rotation.py`. generation: one
# more with every change of it or of an authority, so that two who change it do not overlook each other.
TRUST: Final = Table(
    "trust",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("trust_domain", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

# Who may sign: roots and intermediates, and the keys of service tokens. issuer: the authority that signed it, "" = its
# own. certificate: DER; of a token key its public key. sealed_key: NULL where the key is kept elsewhere.
AUTHORITIES: Final = Table(
    "authorities",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("sealed_key", LargeBinary, nullable=True),
    Column("not_after", Float, nullable=False),
    Column("created_at", Float, nullable=False),
)

# What was issued and has not expired. value: DER. issued_by: the enrolment, the serial it renews, or a principal.
# request: SHA-256 of the request's public key. replaced_at, revoked_at: NULL while it is the newest, and good.
CERTIFICATES: Final = Table(
    "certificates",
    METADATA,
    Column("serial", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("not_after", Float, nullable=False),
    Column("issued_by", Text, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("replaced_at", Float, nullable=True),
    Column("revoked_at", Float, nullable=True),
    Column("revoked_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("certificates_by_subject", "subject", "not_after"),
    Index("certificates_by_age", "not_after"),
    Index("certificates_by_issuer", "issued_by"),
)

# One-time tokens that nobody has used yet. hash: SHA-256 of the token. cidr: where it may be used, "" = anywhere.
ENROLMENTS: Final = Table(
    "enrolments",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("subject", Text, nullable=False),
    Column("cidr", Text, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("created_by", Text, nullable=False),
)

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

# Numbers that gateways report. In the shared database; beside the embedded store they are in a file of their own
# (registry/store/insight_file.py), so that no flood of them slows a commit.

# The last report that was counted, of each process that counts. taken: what the taker of the report called its taking.
INSIGHT_POSITIONS: Final = Table(
    "insight_positions",
    METADATA,
    Column("node", Text, primary_key=True),
    Column("boot", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("taken", Text, nullable=False),
    Column("at", Float, nullable=False),
)

# Reports that are in no point yet. at: the 10 s they belong to. value: registry/insight/packing.py.
INSIGHT_REPORTS: Final = Table(
    "insight_reports",
    METADATA,
    Column("node", Text, primary_key=True),
    Column("boot", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("insight_reports_by_time", "at"),
)

# step_s: how much time a point covers, from `at` on. section: of meshway/telemetry.py. part: several points of one time
# add up, since reports come late. is_rolled: a coarser point holds it too. size: bytes of value.
INSIGHT_POINTS: Final = Table(
    "insight_points",
    METADATA,
    Column("step_s", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("section", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("is_rolled", Boolean, nullable=False),
    Column("size", Integer, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("insight_points_to_roll", "step_s", "is_rolled", "at"),
)

# When a Route's rule had a call last: the begin of the 10 s. And a Consumer's credential: route is `consumer NS/NAME`.
INSIGHT_LAST_USED: Final = Table(
    "insight_last_used",
    METADATA,
    Column("route", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

INSIGHT_TABLES: Final = (INSIGHT_POSITIONS, INSIGHT_REPORTS, INSIGHT_POINTS, INSIGHT_LAST_USED)

# Episodes of alerts: those that hold, and those that were, until they are forgotten. at: of the last transition. value:
# msgpack of an AlertState (registry/alerts/records.py).
ALERT_STATES: Final = Table(
    "alert_states",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("alert_states_by_state", "state", "at"),
)

# For whose alerts nobody is told, until when. value: msgpack of a Silence.
SILENCES: Final = Table(
    "silences",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("until", Float, nullable=False),
    Column("value", LargeBinary, nullable=False),
)

ALERT_TABLES: Final = (ALERT_STATES, SILENCES)

# Episodes of alerts that are over and that no group of a Receiver knows of yet. value: msgpack of an AlertState.
NOTIFICATION_INBOX: Final = Table(
    "notification_inbox",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("at", Float, nullable=False),
    Column("value", LargeBinary, nullable=False),
)

# What a Receiver is still to be told of a group of alerts (registry/notifications/records.py). key: the group's
# labels. version: one more with each write, so that of two registries that think they send one is told otherwise.
# value: msgpack.
NOTIFICATION_GROUPS: Final = Table(
    "notification_groups",
    METADATA,
    Column("namespace", Text, primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
)

# How the last message to a Receiver fared. value: msgpack.
NOTIFICATION_OUTCOMES: Final = Table(
    "notification_outcomes",
    METADATA,
    Column("namespace", Text, primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

NOTIFICATION_TABLES: Final = (NOTIFICATION_INBOX, NOTIFICATION_GROUPS, NOTIFICATION_OUTCOMES)

# Lines of services' logs, in the shared database; beside the embedded store they are in files of their own
# (registry/store/log_segments.py). A batch is what one registry wrote at once. at: microseconds since 1970.
LOG_BATCHES: Final = Table(
    "log_batches",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
)

# words: of the line, for searches. value: registry/logs/lines.py.
LOG_LINES: Final = Table(
    "log_lines",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("batch", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("instance", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("words", TSVECTOR().with_variant(Text, "sqlite"), nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("log_lines_by_batch", "batch"),
    Index("log_lines_by_time", "at", "id"),
    Index("log_lines_by_service", "namespace", "service", "at", "id"),
    Index("log_lines_by_trace", "trace_id"),
    Index("log_lines_by_words", "words", postgresql_using="gin"),
)

LOG_TABLES: Final = (LOG_BATCHES, LOG_LINES)

# Messages of gateways of single calls and of spans, and what they hold; of several registries on a shared database. at:
# microseconds since 1970. value: JSON of a CallLine or a Span.
TOLD_BATCHES: Final = Table(
    "told_batches",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("boot", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("items", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Index("told_batches_once", "kind", "node", "boot", "sequence", unique=True),
)

TOLD_ITEMS: Final = Table(
    "told_items",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("batch", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("told_items_by_batch", "batch"),
    Index("told_items_by_kind", "kind", "id"),
    Index("told_items_by_trace", "trace_id"),
    Index("told_items_by_request", "request_id"),
)

TOLD_TABLES: Final = (TOLD_BATCHES, TOLD_ITEMS)

# What a restore replaces. Who may sign in stays as it is in a store where there is somebody: whoever may today must
# not be somebody else tomorrow because of an older copy; and tokens of some minutes are in no backup. What was done
# stays done, what was counted stays counted, what fires fires on, and what is proposed stays proposed: its base tells
# whether it still fits.
_STAYS: Final = (
    *(ENROLMENTS, TOKENS, PEOPLE, PROPOSALS, AUDIT, AUDIT_HEAD),
    *(*INSIGHT_TABLES, *ALERT_TABLES, *NOTIFICATION_TABLES, *LOG_TABLES, *TOLD_TABLES),
)
OF_REVISIONS: Final = tuple(table for table in METADATA.sorted_tables if table not in _STAYS)

"""What fires, who is told of it, and how that fared."""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, LargeBinary, Table, Text

from registry.store.tables.metadata import METADATA

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

"""All tables of a store, and which of them a restore replaces."""

from typing import Final

from registry.store.tables import revisions  # noqa: F401 - its tables are noted in METADATA, too
from registry.store.tables.alerts import ALERT_TABLES, NOTIFICATION_TABLES
from registry.store.tables.insight import INSIGHT_TABLES
from registry.store.tables.metadata import METADATA
from registry.store.tables.people import AUDIT, AUDIT_HEAD, PEOPLE, PROPOSALS, TOKENS
from registry.store.tables.told import LOG_TABLES, TOLD_TABLES
from registry.store.tables.trust import ENROLMENTS

WHOLE: Final = METADATA
# What a restore replaces. Who may sign in stays as it is in a store where there is somebody: whoever may today must
# not be somebody else tomorrow because of an older copy; and tokens of some minutes are in no backup. What was done
# stays done, what was counted stays counted, what fires fires on, and what is proposed stays proposed: its base tells
# whether it still fits.
_STAYS: Final = (
    *(ENROLMENTS, TOKENS, PEOPLE, PROPOSALS, AUDIT, AUDIT_HEAD),
    *(*INSIGHT_TABLES, *ALERT_TABLES, *NOTIFICATION_TABLES, *LOG_TABLES, *TOLD_TABLES),
)
OF_REVISIONS: Final = tuple(table for table in METADATA.sorted_tables if table not in _STAYS)

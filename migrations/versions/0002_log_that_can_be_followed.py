"""The change log also holds what a registry keeps beside a value, so that other registries follow it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in batch mode: adding a nullable column at the end needs no new table, and the log may be long.
    op.add_column("changes", sa.Column("kept", sa.LargeBinary, nullable=True))

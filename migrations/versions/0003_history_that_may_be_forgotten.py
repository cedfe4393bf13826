"""The head knows from which revision on the history of documents is whole."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in batch mode, as in 0002.
    op.add_column("head", sa.Column("history_from", sa.BigInteger, nullable=False, server_default="0"))

"""An instance knows which revision made it critical, so that a change of it begins nothing anew."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in batch mode, as in 0002.
    op.add_column("instances", sa.Column("critical_since", sa.BigInteger, nullable=False, server_default="0"))

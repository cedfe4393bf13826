"""Changes of documents before they are published."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "proposals",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_index("proposals_by_revision", "proposals", ["revision"])
    op.create_index("proposals_by_state", "proposals", ["state", "number"])

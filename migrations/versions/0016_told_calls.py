"""Single calls and spans that gateways told any registry of."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "told_batches",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("items", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.create_index("told_batches_once", "told_batches", ["kind", "node", "boot", "sequence"], unique=True)
    op.create_table(
        "told_items",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("batch", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_index("told_items_by_batch", "told_items", ["batch"])
    op.create_index("told_items_by_kind", "told_items", ["kind", "id"])
    op.create_index("told_items_by_trace", "told_items", ["trace_id"])
    op.create_index("told_items_by_request", "told_items", ["request_id"])

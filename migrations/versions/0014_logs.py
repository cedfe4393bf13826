"""Lines of services' logs: batches, and the lines of each with their words."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_batches",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("lines", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "log_lines",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("batch", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("severity", sa.Integer, nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
        sa.Column("words", TSVECTOR().with_variant(sa.Text, "sqlite"), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_index("log_lines_by_batch", "log_lines", ["batch"])
    op.create_index("log_lines_by_time", "log_lines", ["at", "id"])
    op.create_index("log_lines_by_service", "log_lines", ["namespace", "service", "at", "id"])
    op.create_index("log_lines_by_trace", "log_lines", ["trace_id"])
    op.create_index("log_lines_by_words", "log_lines", ["words"], postgresql_using="gin")

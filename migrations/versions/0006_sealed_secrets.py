"""Documents keep what is sealed beside their value, and the store the data key that seals it, wrapped."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in batch mode, as in 0002.
    op.add_column("documents", sa.Column("sealed", sa.LargeBinary, nullable=True))
    op.create_table(
        "data_keys",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
    )

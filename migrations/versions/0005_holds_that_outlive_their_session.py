"""Who holds a piece of work off leaves a row, which stands when its session with the database is lost."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, primary_key=True),
    )

"""What all tables are noted in, once, for SQLite and PostgreSQL. `migrations/` brings a database to them."""

from typing import Final

from sqlalchemy import MetaData

METADATA: Final = MetaData()

"""The store that several registries share: PostgreSQL by asyncpg. Statements are made by SQLAlchemy Core, once."""

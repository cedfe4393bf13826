"""Runs the migrations on the connection the registry brings along; there is no way to run them without one."""

from alembic import context
from sqlalchemy import Connection

connection = context.config.attributes["connection"]
assert isinstance(connection, Connection)
# Transactional DDL: a migration is in or out as a whole. Batch mode: SQLite changes a table by making it anew.
context.configure(connection=connection, transactional_ddl=True, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()

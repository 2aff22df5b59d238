"""Alembic's entry: runs on the connection that ``cloud_sync.migrate`` hands over."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":  # workers that start together: the second finds the work done
    connection.execute(text("SELECT pg_advisory_xact_lock(1215587175)"))
context.configure(connection=connection, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()

"""Alembic's entry: runs the steps on the connection that `botmatrix.store.migrate` hands over."""

from alembic import context

from botmatrix.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()

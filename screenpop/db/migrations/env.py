"""How Alembic runs our migrations: always on an open connection, in one transaction with its caller."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text
from sqlalchemy.engine import Connection

from screenpop.db.tables import metadata

#: Any number of our own: who holds it migrates.
LOCK = 4_217_001


def _run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    context.run_migrations()


_run(context.config.attributes["connection"])

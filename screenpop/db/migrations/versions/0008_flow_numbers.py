"""What callers do at the steps of flows, in sums."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flow_step",
        sa.Column("flow", sa.String(length=64), nullable=False),
        sa.Column(
            "from_at",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="begin of the quarter of an hour",
        ),
        sa.Column("version", sa.String(length=12), nullable=False, comment="of the site's files: the first 12 signs"),
        sa.Column(
            "step",
            sa.Text(),
            nullable=False,
            comment="the address; what stands before the first colon is the node",
        ),
        sa.Column("entered", sa.Integer(), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False, comment="by whichever way"),
        sa.Column("hung_up", sa.Integer(), nullable=False),
        sa.Column("timed_out", sa.Integer(), nullable=False),
        sa.Column("invalid", sa.Integer(), nullable=False),
        sa.Column("stayed_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("flow", "from_at", "version", "step", name=op.f("pk_flow_step")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "flow_exit",
        sa.Column("flow", sa.String(length=64), nullable=False),
        sa.Column("from_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.String(length=12), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("flow", "from_at", "version", "step", "way", name=op.f("pk_flow_exit")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "flow_batch",
        sa.Column("writer", sa.String(length=32), nullable=False, comment="one run of the server"),
        sa.Column(
            "number",
            sa.BigInteger(),
            nullable=False,
            comment="of the last batch of its sums that is in the tables",
        ),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("writer", name=op.f("pk_flow_batch")),
    )


def downgrade() -> None:
    op.drop_table("flow_batch")
    op.drop_table("flow_exit")
    op.drop_table("flow_step")

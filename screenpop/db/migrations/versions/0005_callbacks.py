"""Promises to call back, as they stand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "callback",
        sa.Column("interaction_id", sa.String(length=128), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=True),
        sa.Column("number", sa.String(length=64), nullable=True, comment="E.164"),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=True, comment="calls begun"),
        sa.Column("not_before", sa.BigInteger(), nullable=True, comment="of the next call; 0: any time"),
        sa.Column("promised_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True, comment="of the last call, or why it ended"),
        sa.PrimaryKeyConstraint("interaction_id", name=op.f("pk_callback")),
    )
    with op.batch_alter_table("callback", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_callback_promised_at"), ["promised_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("callback", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_callback_promised_at"))
    op.drop_table("callback")

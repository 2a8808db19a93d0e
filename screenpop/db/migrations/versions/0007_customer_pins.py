"""PINs of customers, as hashes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customer_pin",
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column(
            "hash",
            sa.Text(),
            nullable=False,
            comment="argon2id; apart from the record, so that no reading of it brings it",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_pin_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customer_pin")),
    )


def downgrade() -> None:
    op.drop_table("customer_pin")

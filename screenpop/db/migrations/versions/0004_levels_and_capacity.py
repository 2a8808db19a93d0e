"""Each person's weight, their level in queues, and how much of which medium they hold at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "weight",
                sa.Integer(),
                server_default="1",
                nullable=False,
                comment="share where a queue draws by weight",
            )
        )
    op.create_table(
        "person_queue_level",
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False, comment="also one that they may be moved to"),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.CheckConstraint("level BETWEEN 1 AND 10", name=op.f("ck_person_queue_level_level")),
        sa.ForeignKeyConstraint(
            ["username"], ["person.username"], name=op.f("fk_person_queue_level_username"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("username", "queue", name=op.f("pk_person_queue_level")),
    )
    op.create_table(
        "person_capacity",
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("medium", sa.String(length=16), nullable=False),
        sa.Column(
            "most",
            sa.Integer(),
            nullable=False,
            comment="interactions of it at once; voice is 1 where nothing is said",
        ),
        sa.CheckConstraint("most BETWEEN 0 AND 20", name=op.f("ck_person_capacity_most")),
        sa.ForeignKeyConstraint(
            ["username"], ["person.username"], name=op.f("fk_person_capacity_username"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("username", "medium", name=op.f("pk_person_capacity")),
    )


def downgrade() -> None:
    op.drop_table("person_capacity")
    op.drop_table("person_queue_level")
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_column("weight")

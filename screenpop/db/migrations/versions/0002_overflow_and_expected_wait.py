"""Why visits overflowed, what wait was expected, whose place was regained, who is to be called back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = (
    ("expected_wait_us", sa.BigInteger(), "what the queue's estimator said on entry; 0: nothing"),
    ("expected_most_us", sa.BigInteger(), "exceeded by one of ten; 0: nothing said"),
    ("regained", sa.String(length=128), "the abandoned interaction whose place this was"),
    ("callback_number", sa.String(length=64), "of a promise to call back"),
    ("cause", sa.String(length=32), "of an overflow"),
)


def upgrade() -> None:
    with op.batch_alter_table("queue_visit", schema=None) as batch_op:
        for name, kind, comment in COLUMNS:
            batch_op.add_column(sa.Column(name, kind, comment=comment))


def downgrade() -> None:
    with op.batch_alter_table("queue_visit", schema=None) as batch_op:
        for name, _, _ in reversed(COLUMNS):
            batch_op.drop_column(name)

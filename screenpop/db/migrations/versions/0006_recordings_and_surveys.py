"""Recordings with the callers' consent, and answers to surveys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recording",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("interaction_id", sa.String(length=128), nullable=True),
        sa.Column("consent", sa.String(length=16), nullable=True, comment="yes, no or notice"),
        sa.Column("file", sa.Text(), nullable=True, comment="empty: nothing is recorded"),
        sa.Column("trouble", sa.Text(), nullable=True, comment="why nothing could be recorded"),
        sa.Column("queue", sa.String(length=64), nullable=True, comment="of the last talk before it"),
        sa.Column("agent_id", sa.String(length=64), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True, comment="what went wrong"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
    )
    op.create_table(
        "survey_answer",
        sa.Column("id", sa.String(length=256), nullable=False),
        sa.Column("interaction_id", sa.String(length=128), nullable=True),
        sa.Column("survey", sa.String(length=64), nullable=True),
        sa.Column("question", sa.String(length=64), nullable=True),
        sa.Column("value", sa.String(length=64), nullable=True),
        sa.Column("queue", sa.String(length=64), nullable=True, comment="of the last talk before it"),
        sa.Column("agent_id", sa.String(length=64), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_answer")),
    )
    with op.batch_alter_table("recording", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_recording_interaction_id"), ["interaction_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_recording_file"), ["file"], unique=False)
    with op.batch_alter_table("survey_answer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_survey_answer_interaction_id"), ["interaction_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_survey_answer_answered_at"), ["answered_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("survey_answer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_survey_answer_answered_at"))
        batch_op.drop_index(batch_op.f("ix_survey_answer_interaction_id"))
    with op.batch_alter_table("recording", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_recording_file"))
        batch_op.drop_index(batch_op.f("ix_recording_interaction_id"))
    op.drop_table("survey_answer")
    op.drop_table("recording")

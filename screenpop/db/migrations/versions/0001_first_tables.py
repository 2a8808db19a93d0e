"""People, customers, and what happened: the first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agent_interval",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("from_at", sa.BigInteger(), nullable=True),
        sa.Column("to_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_interval")),
    )
    with op.batch_alter_table("agent_interval", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agent_interval_agent_id_from_at"), ["agent_id", "from_at"], unique=False)

    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_at"), ["at"], unique=False)

    op.create_table(
        "customer",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), server_default="", nullable=False),
        sa.Column("account", sa.String(length=64), server_default="", nullable=False),
        sa.Column("language", sa.String(length=16), server_default="", nullable=False),
        sa.Column("vip", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("folded", sa.Text(), nullable=False, comment="name, company and account, case-folded, for searching"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
    )
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_account"), ["account"], unique=False)

    op.create_table(
        "journal_position",
        sa.Column("name", sa.String(length=16), nullable=False, comment="always 'records'"),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="everything up to here is in the tables"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_journal_position")),
    )
    op.create_table(
        "offer",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("visit_id", sa.String(length=160), nullable=True),
        sa.Column("interaction_id", sa.String(length=128), nullable=True),
        sa.Column("agent_id", sa.String(length=64), nullable=True),
        sa.Column("queue", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("offered_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
    )
    with op.batch_alter_table("offer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_offer_agent_id_offered_at"), ["agent_id", "offered_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_offer_interaction_id"), ["interaction_id"], unique=False)

    op.create_table(
        "person",
        sa.Column("username", sa.String(length=64), nullable=False, comment="lower case; the agent id"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False, comment="list: agent, supervisor, admin"),
        sa.Column("extension", sa.String(length=16), server_default="", nullable=False),
        sa.Column("phone_kind", sa.String(length=16), server_default="", nullable=False),
        sa.Column("phone_secret", sa.Text(), server_default="", nullable=False),
        sa.Column("phone_address", sa.Text(), server_default="", nullable=False, comment="static SIP address"),
        sa.Column("password_hash", sa.Text(), nullable=True, comment="argon2id; null: cannot sign in"),
        sa.PrimaryKeyConstraint("username", name=op.f("pk_person")),
    )
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_extension"), ["extension"], unique=False)

    op.create_table(
        "queue_visit",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("interaction_id", sa.String(length=128), nullable=True),
        sa.Column("queue", sa.String(length=64), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("first_asked_at", sa.BigInteger(), nullable=True),
        sa.Column("entered_at", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=True, comment="list of [name, value]"),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("agent_id", sa.String(length=64), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_visit")),
    )
    with op.batch_alter_table("queue_visit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_queue_visit_interaction_id"), ["interaction_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_queue_visit_queue_entered_at"), ["queue", "entered_at"], unique=False)

    op.create_table(
        "talk",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("interaction_id", sa.String(length=128), nullable=True),
        sa.Column("agent_id", sa.String(length=64), nullable=True),
        sa.Column("queue", sa.String(length=64), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("wrap_up_until", sa.BigInteger(), nullable=True, comment="0: no wrap-up"),
        sa.Column("ended_in_gap", sa.Boolean(), nullable=True),
        sa.Column("disposition", sa.String(length=64), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("wrap_up_started_at", sa.BigInteger(), nullable=True),
        sa.Column("wrap_up_ended_at", sa.BigInteger(), nullable=True),
        sa.Column("wrap_up_timed_out", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_talk")),
    )
    with op.batch_alter_table("talk", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_talk_agent_id_started_at"), ["agent_id", "started_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_talk_interaction_id"), ["interaction_id"], unique=False)

    op.create_table(
        "customer_number",
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False, comment="E.164 with the plus"),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_number_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("customer_id", "number", name=op.f("pk_customer_number")),
    )
    with op.batch_alter_table("customer_number", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_number_number"), ["number"], unique=False)

    op.create_table(
        "interaction",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("caller", sa.Text(), nullable=True),
        sa.Column(
            "caller_number",
            sa.String(length=20),
            nullable=True,
            comment="E.164, empty when the caller is withheld or internal",
        ),
        sa.Column("dialled", sa.Text(), nullable=True),
        sa.Column("flow", sa.Text(), nullable=True),
        sa.Column("medium", sa.String(length=16), nullable=True),
        sa.Column("arrived_at", sa.BigInteger(), nullable=True),
        sa.Column("arrived_in_gap", sa.Boolean(), nullable=True),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("customer_how", sa.String(length=16), nullable=True, comment="matched, looked_up or chosen"),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("short", sa.Boolean(), nullable=True),
        sa.Column("agent_id", sa.String(length=64), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_in_gap", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_interaction_customer_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interaction")),
    )
    with op.batch_alter_table("interaction", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_interaction_arrived_at"), ["arrived_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_interaction_caller_number_arrived_at"), ["caller_number", "arrived_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_interaction_customer_id_arrived_at"), ["customer_id", "arrived_at"], unique=False
        )

    op.create_table(
        "person_queue",
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False, comment="order in which they were given"),
        sa.ForeignKeyConstraint(
            ["username"], ["person.username"], name=op.f("fk_person_queue_username"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("username", "queue", name=op.f("pk_person_queue")),
    )
    op.create_table(
        "person_skill",
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("skill", sa.String(length=64), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.CheckConstraint("level BETWEEN 1 AND 10", name=op.f("ck_person_skill_level")),
        sa.ForeignKeyConstraint(
            ["username"], ["person.username"], name=op.f("fk_person_skill_username"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("username", "skill", name=op.f("pk_person_skill")),
    )
    op.create_table(
        "session",
        sa.Column("token_hash", sa.String(length=64), nullable=False, comment="SHA-256 of the cookie, hexadecimal"),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["username"], ["person.username"], name=op.f("fk_session_username"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_session")),
    )
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_session_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_session_username"), ["username"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_session_username"))
        batch_op.drop_index(batch_op.f("ix_session_expires_at"))

    op.drop_table("session")
    op.drop_table("person_skill")
    op.drop_table("person_queue")
    with op.batch_alter_table("interaction", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_interaction_customer_id_arrived_at"))
        batch_op.drop_index(batch_op.f("ix_interaction_caller_number_arrived_at"))
        batch_op.drop_index(batch_op.f("ix_interaction_arrived_at"))

    op.drop_table("interaction")
    with op.batch_alter_table("customer_number", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customer_number_number"))

    op.drop_table("customer_number")
    with op.batch_alter_table("talk", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_talk_interaction_id"))
        batch_op.drop_index(batch_op.f("ix_talk_agent_id_started_at"))

    op.drop_table("talk")
    with op.batch_alter_table("queue_visit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_queue_visit_queue_entered_at"))
        batch_op.drop_index(batch_op.f("ix_queue_visit_interaction_id"))

    op.drop_table("queue_visit")
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_person_extension"))

    op.drop_table("person")
    with op.batch_alter_table("offer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_offer_interaction_id"))
        batch_op.drop_index(batch_op.f("ix_offer_agent_id_offered_at"))

    op.drop_table("offer")
    op.drop_table("journal_position")
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customer_account"))

    op.drop_table("customer")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_at"))

    op.drop_table("audit")
    with op.batch_alter_table("agent_interval", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agent_interval_agent_id_from_at"))

    op.drop_table("agent_interval")

"""The tables. Instants are integer microseconds UTC (`…_at`).

Names of queues, skills and reasons are plain text here: the names are the site's files, who has which is data.
Rows of `interaction`, `queue_visit`, `offer`, `talk`, `callback` and `agent_interval` are written behind from facts
that may come in any order (a replay after an outage), so all but their id may still be empty, and they point at each
other by id without foreign keys.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

#: In a table's `info`: the column by which a row that is told late is known, and does not replace a newer one.
NEWEST_BY = "newest_by"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# --- people ---------------------------------------------------------------------------------------------

person = Table(
    "person",
    metadata,
    Column("username", String(64), primary_key=True, comment="lower case; the agent id"),
    Column("name", Text, nullable=False),
    Column("roles", JSON, nullable=False, comment="list: agent, supervisor, admin"),
    Column("extension", String(16), nullable=False, server_default=""),
    Column("phone_kind", String(16), nullable=False, server_default=""),
    Column("phone_secret", Text, nullable=False, server_default=""),
    Column("phone_address", Text, nullable=False, server_default="", comment="static SIP address"),
    Column("password_hash", Text, comment="argon2id; null: cannot sign in"),
    Column("weight", Integer, nullable=False, server_default="1", comment="share where a queue draws by weight"),
    Index(None, "extension"),
)

person_queue = Table(
    "person_queue",
    metadata,
    Column("username", ForeignKey("person.username", ondelete="CASCADE"), primary_key=True),
    Column("queue", String(64), primary_key=True),
    Column("place", Integer, nullable=False, comment="order in which they were given"),
)

person_skill = Table(
    "person_skill",
    metadata,
    Column("username", ForeignKey("person.username", ondelete="CASCADE"), primary_key=True),
    Column("skill", String(64), primary_key=True),
    Column("level", Integer, nullable=False),
    CheckConstraint("level BETWEEN 1 AND 10", name="level"),
)

person_queue_level = Table(
    "person_queue_level",
    metadata,
    Column("username", ForeignKey("person.username", ondelete="CASCADE"), primary_key=True),
    Column("queue", String(64), primary_key=True, comment="also one that they may be moved to"),
    Column("level", Integer, nullable=False),
    CheckConstraint("level BETWEEN 1 AND 10", name="level"),
)

person_capacity = Table(
    "person_capacity",
    metadata,
    Column("username", ForeignKey("person.username", ondelete="CASCADE"), primary_key=True),
    Column("medium", String(16), primary_key=True),
    Column("most", Integer, nullable=False, comment="interactions of it at once; voice is 1 where nothing is said"),
    CheckConstraint("most BETWEEN 0 AND 20", name="most"),
)

session = Table(
    "session",
    metadata,
    Column("token_hash", String(64), primary_key=True, comment="SHA-256 of the cookie, hexadecimal"),
    Column("username", ForeignKey("person.username", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("address", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSON, nullable=False),
)

standing_order = Table(
    "standing_order",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("begins_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False, comment="0: until it is ended"),
    Column("given_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("given_at", BigInteger, nullable=False),
    Column("ended_by", Text, nullable=False),
    Column("ended_at", BigInteger, nullable=False, comment="0: not ended before its time"),
    Index(None, "ended_at", "ends_at"),
)

# --- customers ------------------------------------------------------------------------------------------

customer = Table(
    "customer",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("company", Text, nullable=False, server_default=""),
    Column("account", String(64), nullable=False, server_default="", index=True),
    Column("language", String(16), nullable=False, server_default=""),
    Column("vip", Boolean(create_constraint=False), nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("folded", Text, nullable=False, comment="name, company and account, case-folded, for searching"),
)

customer_pin = Table(
    "customer_pin",
    metadata,
    Column("customer_id", ForeignKey("customer.id", ondelete="CASCADE"), primary_key=True),
    Column("hash", Text, nullable=False, comment="argon2id; apart from the record, so that no reading of it brings it"),
)

customer_number = Table(
    "customer_number",
    metadata,
    Column("customer_id", ForeignKey("customer.id", ondelete="CASCADE"), primary_key=True),
    Column("number", String(20), primary_key=True, comment="E.164 with the plus"),
    Column("place", Integer, nullable=False),
    Index(None, "number"),
)

# --- what happened --------------------------------------------------------------------------------------

interaction = Table(
    "interaction",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("caller", Text),
    Column("caller_number", String(20), comment="E.164, empty when the caller is withheld or internal"),
    Column("dialled", Text),
    Column("flow", Text),
    Column("medium", String(16)),
    Column("arrived_at", BigInteger, index=True),
    Column("arrived_in_gap", Boolean(create_constraint=False)),
    Column("customer_id", ForeignKey("customer.id", ondelete="SET NULL")),
    Column("customer_how", String(16), comment="matched, looked_up or chosen"),
    Column("outcome", String(32)),
    Column("detail", Text),
    Column("short", Boolean(create_constraint=False)),
    Column("agent_id", String(64)),
    Column("closed_at", BigInteger),
    Column("closed_in_gap", Boolean(create_constraint=False)),
    Index(None, "customer_id", "arrived_at"),
    Index(None, "caller_number", "arrived_at"),
)

queue_visit = Table(
    "queue_visit",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("interaction_id", String(128), index=True),
    Column("queue", String(64)),
    Column("priority", Integer),
    Column("first_asked_at", BigInteger),
    Column("entered_at", BigInteger),
    Column("position", Integer),
    Column("attributes", JSON, comment="list of [name, value]"),
    Column("outcome", String(32)),
    Column("agent_id", String(64)),
    Column("closed_at", BigInteger),
    Column("expected_wait_us", BigInteger, comment="what the queue's estimator said on entry; 0: nothing"),
    Column("expected_most_us", BigInteger, comment="exceeded by one of ten; 0: nothing said"),
    Column("regained", String(128), comment="the abandoned interaction whose place this was"),
    Column("callback_number", String(64), comment="of a promise to call back"),
    Column("cause", String(32), comment="of an overflow"),
    Index(None, "queue", "entered_at"),
)

offer = Table(
    "offer",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("visit_id", String(160)),
    Column("interaction_id", String(128), index=True),
    Column("agent_id", String(64)),
    Column("queue", String(64)),
    Column("outcome", String(32)),
    Column("detail", Text),
    Column("offered_at", BigInteger),
    Column("closed_at", BigInteger),
    Index(None, "agent_id", "offered_at"),
)

talk = Table(
    "talk",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("interaction_id", String(128), index=True),
    Column("agent_id", String(64)),
    Column("queue", String(64)),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("wrap_up_until", BigInteger, comment="0: no wrap-up"),
    Column("ended_in_gap", Boolean(create_constraint=False)),
    Column("disposition", String(64)),
    Column("note", Text),
    Column("wrap_up_started_at", BigInteger),
    Column("wrap_up_ended_at", BigInteger),
    Column("wrap_up_timed_out", Boolean(create_constraint=False)),
    Index(None, "agent_id", "started_at"),
)

callback = Table(
    "callback",
    metadata,
    Column("interaction_id", String(128), primary_key=True),
    Column("queue", String(64)),
    Column("number", String(64), comment="E.164"),
    Column("state", String(16)),
    Column("attempts", Integer, comment="calls begun"),
    Column("not_before", BigInteger, comment="of the next call; 0: any time"),
    Column("promised_at", BigInteger, index=True),
    Column("changed_at", BigInteger),
    Column("detail", Text, comment="of the last call, or why it ended"),
    info={NEWEST_BY: "changed_at"},
)

recording = Table(
    "recording",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("interaction_id", String(128), index=True),
    Column("consent", String(16), comment="yes, no or notice"),
    Column("file", Text, index=True, comment="empty: nothing is recorded"),
    Column("trouble", Text, comment="why nothing could be recorded"),
    Column("queue", String(64), comment="of the last talk before it"),
    Column("agent_id", String(64)),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("detail", Text, comment="what went wrong"),
)

survey_answer = Table(
    "survey_answer",
    metadata,
    Column("id", String(256), primary_key=True),
    Column("interaction_id", String(128), index=True),
    Column("survey", String(64)),
    Column("question", String(64)),
    Column("value", String(64)),
    Column("queue", String(64), comment="of the last talk before it"),
    Column("agent_id", String(64)),
    Column("answered_at", BigInteger, index=True),
    info={NEWEST_BY: "answered_at"},
)

agent_interval = Table(
    "agent_interval",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("agent_id", String(64)),
    Column("state", String(32)),
    Column("reason", Text),
    Column("from_at", BigInteger),
    Column("to_at", BigInteger),
    Index(None, "agent_id", "from_at"),
)

# --- what happened at the steps of flows, summed by quarters of an hour ----------------------------------

flow_step = Table(
    "flow_step",
    metadata,
    Column("flow", String(64), primary_key=True),
    Column("from_at", BigInteger, primary_key=True, autoincrement=False, comment="begin of the quarter of an hour"),
    Column("version", String(12), primary_key=True, comment="of the site's files: the first 12 signs"),
    Column("step", Text, primary_key=True, comment="the address; what stands before the first colon is the node"),
    Column("entered", Integer, nullable=False),
    Column("left", Integer, nullable=False, comment="by whichever way"),
    Column("hung_up", Integer, nullable=False),
    Column("timed_out", Integer, nullable=False),
    Column("invalid", Integer, nullable=False),
    Column("stayed_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

flow_exit = Table(
    "flow_exit",
    metadata,
    Column("flow", String(64), primary_key=True),
    Column("from_at", BigInteger, primary_key=True, autoincrement=False),
    Column("version", String(12), primary_key=True),
    Column("step", Text, primary_key=True),
    Column("way", Text, primary_key=True),
    Column("left", Integer, nullable=False),
    sqlite_with_rowid=False,
)

flow_batch = Table(
    "flow_batch",
    metadata,
    Column("writer", String(32), primary_key=True, comment="one run of the server"),
    Column("number", BigInteger, nullable=False, comment="of the last batch of its sums that is in the tables"),
    Column("written_at", BigInteger, nullable=False),
)

journal_position = Table(
    "journal_position",
    metadata,
    Column("name", String(16), primary_key=True, comment="always 'records'"),
    Column("position", BigInteger, nullable=False, comment="everything up to here is in the tables"),
)

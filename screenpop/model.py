"""What people see, as values: customers, what happened before, who works here. Frozen pydantic, sent as they are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(StrEnum):
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


class Customer(Value):
    """A customer's record. `numbers` are E.164."""

    id: str
    name: str
    company: str = ""
    account: str = ""
    language: str = ""
    vip: bool = False
    note: str = ""
    numbers: tuple[str, ...] = ()

    def fields(self) -> dict[str, str]:
        """The record as a flow sees it: text only, `vip` as `true` or `false`."""
        return {
            "id": self.id,
            "name": self.name,
            "company": self.company,
            "account": self.account,
            "language": self.language,
            "vip": "true" if self.vip else "false",
            "note": self.note,
        }


class PastInteraction(Value):
    """One earlier interaction, in one line. `at`: arrival, microseconds UTC; `agent`: a name; empty where unknown;
    `promised`: they are to be called back, and nobody has yet."""

    interaction_id: str
    at: int
    queue: str = ""
    outcome: str = ""
    agent: str = ""
    disposition: str = ""
    note: str = ""
    promised: bool = False


class Person(Value):
    """Somebody who works here. `username` is the agent id. `levels`: by queue; `capacity`: by medium, where something
    is said. Secrets are not in it."""

    username: str
    name: str
    roles: tuple[Role, ...] = ()
    extension: str = ""
    queues: tuple[str, ...] = ()
    skills: tuple[tuple[str, int], ...] = ()
    weight: int = 1
    levels: tuple[tuple[str, int], ...] = ()
    capacity: tuple[tuple[str, int], ...] = ()

    @property
    def sees_everything(self) -> bool:
        """Supervisors and admins see every queue and agent."""
        return Role.SUPERVISOR in self.roles or Role.ADMIN in self.roles


@dataclass(frozen=True, slots=True)
class PersonPhone:
    """A person's phone. `address` is a static SIP address, empty when the phone registers."""

    extension: str
    kind: str
    secret: str
    address: str

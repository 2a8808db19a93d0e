"""What a call carries on its channel, so that it can be taken up by another process: where its flow stands."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

#: res_agi reads commands of at most 2,047 bytes; the rest of the line is the command itself.
MOST_BYTES = 1900


@dataclass(frozen=True, slots=True)
class CallState:
    flow: str
    node: str
    variables: dict[str, str]

    def pack(self) -> str:
        """As one line of JSON that takes at most `MOST_BYTES` in an AGI command.

        What does not fit goes without the customer's fields (they can be looked up again), then without variables.
        """
        for variables in (
            self.variables,
            {name: value for name, value in self.variables.items() if not name.startswith("customer.")},
            {},
        ):
            packed = orjson.dumps([self.flow, self.node, variables])
            if len(packed) + packed.count(b'"') + packed.count(b"\\") <= MOST_BYTES:  # each is escaped there
                break
        return packed.decode()

    @classmethod
    def unpack(cls, packed: str) -> CallState | None:
        """The state, or None when there is none or it is not one of ours."""
        try:
            value = orjson.loads(packed)
        except orjson.JSONDecodeError:
            return None
        match value:
            case [str(flow), str(node), dict(variables)]:
                return cls(flow, node, {str(name): str(text) for name, text in variables.items()})
            case _:
                return None

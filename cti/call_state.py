"""What a call carries on its channel, so that it can be taken up by another process: where its flow stands."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from ivr.progress import FRAMES, REQUESTS

#: res_agi reads commands of at most 2,047 bytes; the rest of the line is the command itself.
MOST_BYTES = 1900
#: Without these the call cannot go on rightly.
_LAST = frozenset({FRAMES, REQUESTS, "interaction_id", "language"})


@dataclass(frozen=True, slots=True)
class CallState:
    flow: str
    node: str
    variables: dict[str, str]
    #: The version of the site that the call began on; empty where it is not known.
    version: str = ""

    def pack(self) -> str:
        """As one line of JSON that takes at most `MOST_BYTES` in an AGI command.

        What does not fit goes without the customer's fields (they can be looked up again), then without the longest
        values one after the other; where the call is to come back to, and its language, go last.
        """
        variables = self.variables
        while len(packed := self._packed(variables)) + packed.count(b'"') + packed.count(b"\\") > MOST_BYTES:
            if not variables:
                break  # names of flow and node are short: this is not one of ours
            known = {name: value for name, value in variables.items() if not name.startswith("customer.")}
            variables = known if len(known) < len(variables) else _without_longest(variables)
        return packed.decode()

    def _packed(self, variables: dict[str, str]) -> bytes:
        # Each quote and backslash is escaped in the command.
        return orjson.dumps([self.flow, self.node, variables, *([self.version] if self.version else [])])

    @classmethod
    def unpack(cls, packed: str) -> CallState | None:
        """The state, or None when there is none or it is not one of ours."""
        try:
            value = orjson.loads(packed)
        except orjson.JSONDecodeError:
            return None
        match value:
            case [str(flow), str(node), dict(variables)]:
                return cls(flow, node, _texts(variables))
            case [str(flow), str(node), dict(variables), str(version)]:
                return cls(flow, node, _texts(variables), version)
            case _:
                return None


def _texts(values: dict[object, object]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


def _without_longest(variables: dict[str, str]) -> dict[str, str]:
    least_wanted = max(variables, key=lambda name: (name not in _LAST, len(name) + len(variables[name])))
    return {name: value for name, value in variables.items() if name != least_wanted}

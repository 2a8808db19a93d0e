"""What can go wrong in a FastAGI conversation.

Every message names the command (its verb, never its arguments: they may hold numbers and digits), the
channel, and what came instead of the expected reply.
"""

from __future__ import annotations


class AgiError(Exception):
    """Base of every error of a FastAGI conversation."""

    code = "agi_error"
    expected = "a reply"

    def __init__(self, command: str, channel: str, came: str) -> None:
        super().__init__(f"{command or 'the conversation'} on {channel}: expected {self.expected}, came {came}")
        self.command = command
        self.channel = channel
        self.came = came


class AgiHangupError(AgiError):
    """Asterisk ended this AGI session (`HANGUP`). The caller may live on elsewhere: only AMI knows."""

    code = "agi_hangup"


class AgiDeadChannelError(AgiError):
    """511: the command is not permitted on a channel that is hung up."""

    code = "agi_dead_channel"
    expected = "a live channel"


class AgiUsageError(AgiError):
    """520: the command's syntax is wrong; `came` holds Asterisk's whole usage text."""

    code = "agi_usage"
    expected = "correct syntax"


class AgiDisconnectedError(AgiError):
    """The connection ended without a `HANGUP`: Asterisk died, or closed the socket."""

    code = "agi_disconnected"


class AgiTimeoutError(AgiError):
    """No whole reply within the time allowed. A late reply is discarded, never given to the next command."""

    code = "agi_timeout"


class AgiCommandError(AgiError):
    """Asterisk refused the command (510 and other codes), or it failed (`200 result=-1`, no hang-up)."""

    code = "agi_command"
    expected = "success"


class AgiProtocolError(AgiError):
    """What came is not AGI. The connection is closed: nothing after it could be trusted."""

    code = "agi_protocol"

"""What can go wrong between us and Asterisk. Every error has a stable `code`; HTTP and logs go by it.

Three faults are kept apart, because the caller must do different things about them: the link is not there
(nothing was sent), Asterisk refused (nothing was done), nonsense came (nothing is known).
"""

from __future__ import annotations


class CtiError(Exception):
    """Base of every error of `cti`."""

    code = "cti_error"


class AmiError(CtiError):
    """Base of everything that goes wrong on an AMI link."""

    code = "ami_error"


class AmiUnavailableError(AmiError):
    """There is no logged-in link; the action was not sent, and will not be sent later."""

    code = "ami_unavailable"


class AmiBusyError(AmiUnavailableError):
    """Too many actions wait for their answer, or Asterisk does not read; the action was not sent."""

    code = "ami_busy"


class AmiLinkLostError(AmiUnavailableError):
    """The link went down after the action was sent: whether it was done is known only from events."""

    code = "ami_link_lost"


class AmiTimeoutError(AmiError):
    """No answer in time. Whether the action was done is known only from events."""

    code = "ami_timeout"


class AmiLoginError(AmiError):
    """Asterisk does not know this user or secret; see manager.conf."""

    code = "ami_login"


class AmiOverflowError(AmiError):
    """Events came faster than they were taken; the link was dropped, and the world has to be read again."""

    code = "ami_overflow"


class AmiProtocolError(AmiError):
    """What came is not AMI, or an event lacks what it must have; the message quotes it."""

    code = "ami_protocol"


class AmiActionError(AmiError):
    """Asterisk answered `Response: Error`; `action` is its name and `reason` Asterisk's own words."""

    code = "ami_action"

    def __init__(self, message: str, *, action: str, reason: str) -> None:
        super().__init__(message)
        self.action = action
        self.reason = reason


class AmiHeaderError(AmiActionError, ValueError):
    """An action that must not be sent: a line break in a header would become a second action."""

    code = "ami_header"

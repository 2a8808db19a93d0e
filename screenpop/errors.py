"""What can go wrong on the side that people see. The HTTP status of each stands in `screenpop.routes.statuses`."""

from __future__ import annotations

from collections.abc import Sequence


class ScreenpopError(Exception):
    """Base of every error of `screenpop`. `code` is stable; the message is for the person who caused it."""

    code = "screenpop_error"


class NotSignedInError(ScreenpopError):
    """No session, or one that has ended."""

    code = "not_signed_in"


class SignInRefusedError(ScreenpopError):
    """Unknown name or wrong password; which of them is not said."""

    code = "sign_in_refused"


class TooManyAttemptsError(ScreenpopError):
    """Sign-in is blocked for this name or this address; `retry_after_s` says how long."""

    code = "too_many_attempts"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many attempts to sign in; try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class CrossSiteError(ScreenpopError):
    """A changing call without our header, or one that another site sent."""

    code = "cross_site"


class ForbiddenError(ScreenpopError):
    """Signed in, but this is for other roles."""

    code = "forbidden"


class UnpublishableError(ScreenpopError):
    """The site's files are wrong, or somebody else is publishing; the message has a line for each problem."""

    code = "unpublishable"


class NotFoundError(ScreenpopError):
    """There is nothing with this id."""

    code = "not_found"


class InvalidRequestError(ScreenpopError):
    """A value that cannot be: too long, unknown code, wrong type."""

    code = "invalid_request"


class TooLargeError(ScreenpopError):
    """A request longer than anything that we take."""

    code = "too_large"


class NotYoursError(ScreenpopError):
    """An offer or interaction that this agent does not hold, or holds no longer."""

    code = "not_yours"


class BusyError(ScreenpopError):
    """Too many ask for something that takes a while, or it took too long; ask again."""

    code = "busy"


class PasswordTooWeakError(ScreenpopError):
    """A password shorter or longer than the rule says."""

    code = "password_too_weak"


class DatabaseAddressError(ScreenpopError):
    """A database address of a kind that Callyard does not run on."""

    code = "database_address"


class DatabaseUnavailableError(ScreenpopError):
    """The database does not answer."""

    code = "database_unavailable"


class ImportFileError(ScreenpopError):
    """A CSV file with faults; nothing of it was imported. `faults` are `file:line: what, expected, what came`."""

    code = "import_file"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)

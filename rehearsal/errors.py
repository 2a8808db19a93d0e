"""What a rehearsal refuses."""


class RehearsalError(Exception):
    """A scenario or an argument that cannot be rehearsed; the message names the field, what was expected and came."""

"""What the API says of itself where it refuses: the answers that any call may have, and the methods of a path."""

from __future__ import annotations

import re
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

from screenpop.model import Value

#: What may be asked of a path that there is not.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")


class Refusal(Value):
    """Every error has this form; docs/errors.md has the codes."""

    code: str
    message: str


_WHY = {
    400: "not HTTP or JSON as it must be",
    401: "not signed in",
    403: "for other roles, or from another site",
    404: "there is nothing with this id",
    405: "another method",
    409: "not yours, or no longer",
    413: "too large",
    422: "a value that cannot be",
    429: "too often",
    503: "not now: ask again",
}
#: Any call may be refused with these.
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": why} for status, why in _WHY.items()
}


def refusal(request: Request, nothing: str) -> HTTPException:
    """405 with the methods that this path takes, 404 where it is none of ours."""
    methods = allowed(request)
    return (
        HTTPException(405, "another method", {"Allow": ", ".join(methods)}) if methods else HTTPException(404, nothing)
    )


def allowed(request: Request) -> list[str]:
    """The methods that the document of the API has for the path of this request."""
    found: set[str] = set()
    for path, operations in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(path)), request.url.path):
            found |= {method.upper() for method in operations if method.upper() in METHODS}
    return sorted(found)

"""Which HTTP status each error has; the one place where errors and HTTP meet."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from screenpop import errors
from screenpop.errors import ScreenpopError
from screenpop.routes.refusals import allowed
from screenpop.text import storable

log = structlog.get_logger(__name__)

STATUSES: dict[type[ScreenpopError], HTTPStatus] = {
    errors.NotSignedInError: HTTPStatus.UNAUTHORIZED,
    errors.SignInRefusedError: HTTPStatus.UNAUTHORIZED,
    errors.TooManyAttemptsError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.CrossSiteError: HTTPStatus.FORBIDDEN,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.UnpublishableError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidRequestError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.NotYoursError: HTTPStatus.CONFLICT,
    errors.BusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.PasswordTooWeakError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ImportFileError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DatabaseAddressError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.DatabaseUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def answer(error: ScreenpopError) -> JSONResponse:
    """The error as a client sees it: `{code, message}` with its status."""
    headers = {}
    if isinstance(error, errors.TooManyAttemptsError):
        headers["Retry-After"] = str(error.retry_after_s)
    body = {"code": error.code, "message": storable(str(error))}
    return JSONResponse(body, STATUSES[type(error)], headers=headers)


def install(app: FastAPI) -> None:
    """Answer every error in the same form."""

    @app.exception_handler(ScreenpopError)
    async def _ours(_request: Request, error: ScreenpopError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return answer(errors.InvalidRequestError(f"{where}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (methods := allowed(request)):
            error.headers = {"Allow": ", ".join(methods)}  # the router names those of one route only
        phrase = HTTPStatus(error.status_code).phrase
        body = {"code": phrase.lower().replace(" ", "_"), "message": str(error.detail)}
        return JSONResponse(body, error.status_code, headers=error.headers)

    @app.exception_handler(SQLAlchemyError)
    async def _database(_request: Request, error: SQLAlchemyError) -> JSONResponse:
        log.warning("database does not answer", why=f"{type(error).__name__}: {error}"[:300])
        return answer(errors.DatabaseUnavailableError("The database does not answer; try again."))

    @app.exception_handler(Exception)
    async def _fault(_request: Request, _error: Exception) -> JSONResponse:
        # The traceback is logged by the server that runs us.
        return JSONResponse({"code": "internal_error", "message": "This is our fault; it is logged."}, 500)

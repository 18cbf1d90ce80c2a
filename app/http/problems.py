"""One table from what went wrong to what the caller is told (RFC 9457), and its handlers."""

import logging
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.http.auth import InvalidApiKeyError, MissingApiKeyError, RateLimitExceededError
from app.http.body_budget import BodyBudgetExceededError, ClientDisconnectedError, DeadlineError
from app.http.request_parsing import (
    BodyTypeError,
    InvalidError,
    SlowBodyError,
    TooLargeError,
    UnreadableBodyError,
)
from app.http.responses import NotAcceptableError
from app.http.schemas import FieldProblem, Problem
from app.http.security_headers import SECURITY
from app.images.decoding import CorruptImageError, ImageTooLargeError, UnsupportedImageError
from app.inference.errors import (
    DeviceLostError,
    InferenceTimeoutError,
    NotReadyError,
    OutOfMemoryError,
    QueueFullError,
    ShuttingDownError,
    UnknownModelError,
)
from app.observability.logs import request_fields
from app.operations.expression import ExpressionError
from app.operations.service import (
    OperandError,
    PictureTooLargeError,
    TooManyPicturesError,
)

log = logging.getLogger("lorgnette")

MEDIA_TYPE = "application/problem+json"
MAX_DETAIL = 2000  # characters; what was sent may be quoted in it

TABLE: dict[type[Exception], tuple[int, str]] = {
    UnreadableBodyError: (400, "unreadable-body"),
    CorruptImageError: (400, "corrupt-picture"),
    ClientDisconnect: (400, "client-disconnected"),
    ClientDisconnectedError: (400, "client-disconnected"),
    MissingApiKeyError: (401, "no-key"),
    InvalidApiKeyError: (403, "wrong-key"),
    UnknownModelError: (404, "unknown-model"),
    NotAcceptableError: (406, "not-acceptable"),
    TooLargeError: (413, "too-large"),
    PictureTooLargeError: (413, "picture-too-large"),
    ImageTooLargeError: (413, "too-many-pixels"),
    TooManyPicturesError: (413, "too-many-pictures"),
    BodyTypeError: (415, "body-type"),
    UnsupportedImageError: (415, "unknown-picture-format"),
    InvalidError: (422, "invalid"),
    OperandError: (422, "operand"),
    ExpressionError: (422, "expression"),
    SlowBodyError: (408, "slow-body"),
    QueueFullError: (503, "queue-full"),
    BodyBudgetExceededError: (503, "bodies-full"),
    ShuttingDownError: (503, "stopping"),
    NotReadyError: (503, "not-ready"),
    RateLimitExceededError: (429, "rate"),
    InferenceTimeoutError: (503, "model-lost"),
    DeviceLostError: (503, "model-lost"),
    OutOfMemoryError: (503, "out-of-memory"),
    DeadlineError: (504, "deadline"),
}


def install(app: FastAPI) -> None:
    """Answer every error of this application as a problem, the framework's own included."""
    for kind in TABLE:
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _unexpected)


async def _known(request: Request, error: Exception) -> Response:
    status, name = TABLE[type(error)]
    errors: list[tuple[str, str]] = []
    headers = {}
    if isinstance(error, InvalidError):
        errors = error.errors
    elif isinstance(error, OperandError):
        errors = [(error.pointer, str(error))]
    elif isinstance(error, ExpressionError):
        errors = [("#/expression", str(error))]
    elif isinstance(error, MissingApiKeyError):
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, QueueFullError | RateLimitExceededError):
        headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, BodyBudgetExceededError):
        headers["Retry-After"] = "1"
    elif isinstance(
        error, ShuttingDownError | NotReadyError | InferenceTimeoutError | OutOfMemoryError
    ):
        headers["Retry-After"] = "5"
    return problem(request, status, name, str(error), errors, headers)


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    name = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    detail = {
        404: f"there is nothing at {request.scope['path']}",
        405: f"{request.method} is not taken at {request.scope['path']}",
    }.get(error.status_code, error.detail)
    return problem(request, error.status_code, name, detail, headers=dict(error.headers or {}))


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [("#/" + "/".join(map(str, e["loc"])), str(e["msg"])) for e in error.errors()]
    return problem(request, 422, "invalid", "; ".join(f"{p}: {d}" for p, d in errors), errors)


async def _unexpected(request: Request, error: Exception) -> Response:
    request_id = str(request.scope.get("request_id", ""))
    fields = request_fields(request_id, request.scope.get("trace_id"))
    log.error("request %s failed", request_id, exc_info=error, extra={"fields": fields})
    detail = "an error of ours; the log has it under this id"
    # This stands outside of what else sets headers; and the server closes the connection after it.
    headers = {"X-Request-ID": request_id, "Connection": "close", **SECURITY}
    return problem(request, 500, "internal", detail, headers=headers)


def problem(
    request: Request,
    status: int,
    name: str,
    detail: str,
    errors: list[tuple[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The response for an error; ``name`` becomes its type, ``urn:lorgnette:NAME``."""
    body = Problem(
        type=f"urn:lorgnette:{name}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail if len(detail) <= MAX_DETAIL else f"{detail[:MAX_DETAIL]}...",
        instance=str(request.scope.get("request_id", "")),
        errors=[FieldProblem(pointer=p, detail=d) for p, d in errors or []] or None,
    )
    request.app.state.service.metrics.http_errors.labels(name).inc()
    text = body.model_dump_json(exclude_none=True)
    return Response(text, status, headers, MEDIA_TYPE)

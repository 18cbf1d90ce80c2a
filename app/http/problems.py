"""The table from errors to problem responses (RFC 9457), and the handlers that use it."""

import logging
from http import HTTPStatus
from typing import NamedTuple

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.http.auth import (
    InvalidApiKeyError,
    LocalOnlyError,
    MissingApiKeyError,
    RateLimitExceededError,
    RateStorageError,
    ReadOnlyApiKeyError,
)
from app.http.body import (
    BodyTypeError,
    ContentCodingError,
    InvalidError,
    SlowBodyError,
    TooLargeError,
    UnreadableBodyError,
)
from app.http.body_budget import BodyBudgetExceededError
from app.http.context import request_context
from app.http.guarded_route import ClientDisconnectedError, DeadlineError
from app.http.methods import allowed_methods
from app.http.negotiation import NotAcceptableError
from app.http.pointers import json_pointer
from app.http.response_schemas import FieldProblem, Problem
from app.images.errors import (
    CorruptImageError,
    ImageError,
    ImageTooLargeError,
    UnsupportedImageError,
)
from app.inference.errors import (
    DeviceLostError,
    InferenceTimeoutError,
    NotReadyError,
    OutOfMemoryError,
    QueueFullError,
    ReloadError,
    ShuttingDownError,
    UnknownModelError,
)
from app.observability.logs import request_fields
from app.operations.context import (
    DetailError,
    ImageFileTooLargeError,
    TooManyImagesError,
)
from app.operations.directions import CheckpointDirectionError, UnknownDirectionError
from app.operations.expression import ExpressionError
from app.operations.faces import AlignmentError, NoFaceError
from app.operations.inpaint import InpaintingError
from app.operations.operands import OperandError
from app.operations.strength import StrengthError
from app.store.database import StoreError, StoreFullError
from app.store.directions import TooManyDirectionsError

log = logging.getLogger("lorgnette")

MEDIA_TYPE = "application/problem+json"
MAX_DETAIL = 2000  # characters; what was sent may be quoted in it


class Entry(NamedTuple):
    """What an error becomes: status, last part of the type, and headers."""

    status: int
    name: str
    headers: dict[str, str] = {}  # noqa: RUF012 -- never changed


RETRY_SOON = {"Retry-After": "1"}
RETRY_LATER = {"Retry-After": "5"}
TABLE: dict[type[Exception], Entry] = {
    UnreadableBodyError: Entry(400, "unreadable-body"),
    CorruptImageError: Entry(400, "corrupt-picture"),
    ClientDisconnect: Entry(400, "client-disconnected"),
    ClientDisconnectedError: Entry(400, "client-disconnected"),
    MissingApiKeyError: Entry(401, "no-key", {"WWW-Authenticate": "Bearer"}),
    InvalidApiKeyError: Entry(
        401, "wrong-key", {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    ),
    ReadOnlyApiKeyError: Entry(403, "read-only-key"),
    LocalOnlyError: Entry(403, "local-only"),
    UnknownModelError: Entry(404, "unknown-model"),
    UnknownDirectionError: Entry(404, "unknown-direction"),
    NotAcceptableError: Entry(406, "not-acceptable"),
    SlowBodyError: Entry(408, "slow-body"),
    CheckpointDirectionError: Entry(409, "direction-of-checkpoint"),
    TooManyDirectionsError: Entry(409, "too-many-directions"),
    ReloadError: Entry(409, "reload-failed"),
    TooLargeError: Entry(413, "too-large"),
    ImageFileTooLargeError: Entry(413, "picture-too-large"),
    ImageTooLargeError: Entry(413, "too-many-pixels"),
    TooManyImagesError: Entry(413, "too-many-pictures"),
    BodyTypeError: Entry(415, "body-type"),
    ContentCodingError: Entry(415, "content-coding", {"Accept-Encoding": "identity"}),
    UnsupportedImageError: Entry(415, "unknown-picture-format"),
    InvalidError: Entry(422, "invalid"),
    OperandError: Entry(422, "operand"),
    ExpressionError: Entry(422, "expression"),
    DetailError: Entry(422, "no-detail"),
    AlignmentError: Entry(422, "alignment"),
    StrengthError: Entry(422, "strength"),
    InpaintingError: Entry(422, "no-inpainting"),
    NoFaceError: Entry(422, "no-face-found"),
    RateLimitExceededError: Entry(429, "rate"),
    RateStorageError: Entry(503, "rate-storage", RETRY_SOON),
    StoreError: Entry(503, "store", RETRY_LATER),
    StoreFullError: Entry(503, "store-full", RETRY_LATER),
    QueueFullError: Entry(503, "queue-full"),
    BodyBudgetExceededError: Entry(503, "bodies-full", RETRY_SOON),
    NotReadyError: Entry(503, "not-ready", RETRY_LATER),
    ShuttingDownError: Entry(503, "stopping", RETRY_LATER),
    InferenceTimeoutError: Entry(503, "model-lost", RETRY_LATER),
    DeviceLostError: Entry(503, "model-lost", RETRY_LATER),
    OutOfMemoryError: Entry(503, "out-of-memory", RETRY_LATER),
    DeadlineError: Entry(504, "deadline"),
}


def install(app: FastAPI) -> None:
    """Respond to every error of this application with a problem, the framework's included.

    Those that are in no table are for ``unexpected``.
    """
    for error_type in TABLE:
        app.add_exception_handler(error_type, _known)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(RequestValidationError, _validation)


async def _known(request: Request, error: Exception) -> Response:
    status, name, headers = TABLE[type(error)]
    errors: list[tuple[str, str]] = []
    if isinstance(error, InvalidError):
        errors = error.errors
    elif isinstance(error, OperandError | ImageError) and error.path:
        errors = [(json_pointer(error.path), str(error))]
    elif isinstance(error, ExpressionError):
        errors = [("#/expression", str(error))]
    elif isinstance(error, DetailError):
        errors = [("#/detail", str(error))]
    elif isinstance(error, StrengthError):
        errors = [("#/strength", str(error))]
    elif isinstance(error, AlignmentError):
        errors = [(json_pointer((error.field,)), str(error))]
    elif isinstance(error, NoFaceError):
        errors = [(json_pointer(path), detail) for path, detail in error.errors]
    elif isinstance(error, QueueFullError | RateLimitExceededError):
        headers = {"Retry-After": str(error.retry_after)}
    return problem(request, status, name, str(error), errors, headers)


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status, path = error.status_code, request.scope["path"]
    name = HTTPStatus(status).phrase.lower().replace(" ", "-")
    detail = {
        404: f"nothing is at {path}",
        405: f"{request.method} is not allowed at {path}",
    }.get(status, error.detail)
    headers = dict(error.headers or {})
    if status == 405:  # the framework names the methods of one of the routes of the path
        headers["Allow"] = allowed_methods(request)
    return problem(request, status, name, detail, headers=headers)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [(json_pointer(e["loc"]), str(e["msg"])) for e in error.errors()]
    return problem(request, 422, "invalid", "; ".join(f"{p}: {d}" for p, d in errors), errors)


async def unexpected(request: Request, error: Exception) -> Response:
    """Log an error that is a bug, and respond with 500."""
    context = request_context(request.scope)
    fields = request_fields(context.request_id, context.trace_id)
    log.error("request %s failed", context.request_id, exc_info=error, extra={"fields": fields})
    detail = "an error of the service; its log has the details under this request id"
    # The error goes on to the server, which closes the connection.
    return problem(request, 500, "internal", detail, headers={"Connection": "close"})


def problem(
    request: Request,
    status: int,
    name: str,
    detail: str,
    errors: list[tuple[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The response to an error.

    Args:
        request: that failed.
        status: HTTP status code.
        name: last part of its type, ``urn:lorgnette:NAME``.
        detail: what is wrong.
        errors: pairs of a JSON pointer to a field and what is wrong there.
        headers: of the response.
    """
    body = Problem(
        type=f"urn:lorgnette:{name}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail if len(detail) <= MAX_DETAIL else f"{detail[:MAX_DETAIL]}...",
        instance=request_context(request.scope).request_id,
        errors=[FieldProblem(pointer=p, detail=d) for p, d in errors or []] or None,
    )
    request.app.state.metrics.http_errors.labels(name).inc()
    text = body.model_dump_json(exclude_none=True)
    return Response(text, status, headers, MEDIA_TYPE)

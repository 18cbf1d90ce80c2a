"""The forms that a request may have (multipart, raw image, npy, JSON), made into one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.http.body import (
    BodyTypeError,
    ContentCodingError,
    Fields,
    InvalidError,
    ReceivedBody,
    read_body,
)
from app.http.json_body import MAX_FIELDS, from_json
from app.http.multipart import FormFields, receive_form
from app.http.negotiation import JSON, NPY
from app.http.npy import from_npy
from app.http.pointers import json_pointer
from app.inference.heap import trim_heap
from app.operations.context import ImageRunner
from app.settings import Settings

MULTIPART = "multipart/form-data"
RESERVED_QUERY = ("model", "format")  # query parameters that are not fields of a request
MAX_ERRORS = 100  # that a response lists
MAX_INLINE_BYTES = 2**14  # parsed in less time than it takes to change threads
TRIM_BYTES = 2**20  # of a body after which a thread returns freed memory to the system

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class BodyForms:
    """The forms that the body of a request may have beside JSON.

    Attributes:
        multipart: which parts of a form are more than text; None if there is no such form.
        image: field that an image as the body fills; None if there is no such form.
        array: field that an ``.npy`` body ``(N, D)`` fills; None if there is no such form.
    """

    multipart: FormFields | None = None
    image: str | None = None
    array: str | None = None


async def read_request(
    request: Request,
    schema: type[M],
    forms: BodyForms,
    settings: Settings,
    dim: int,
    image_pool: ImageRunner,
) -> M:
    """A request, whatever its form, as its schema.

    Options may be in the query too, where they must be when the body is an image. A large body is
    parsed on an image thread.

    Args:
        request: whose body has not been read.
        schema: of its fields.
        forms: that its body may have.
        settings: for the limits.
        dim: length of a latent of the model.
        image_pool: for large bodies.

    Raises:
        UnreadableBodyError, BodyTypeError, TooLargeError, InvalidError: see ``app.http.body``.
    """
    query = {k: v for k, v in request.query_params.items() if k not in RESERVED_QUERY}
    received = await _receive(request, forms, settings, dim)

    def parse() -> M:
        fields = query | received.parse()
        if len(fields) > MAX_FIELDS:
            raise InvalidError([("#", f"{len(fields)} fields; at most {MAX_FIELDS} are accepted")])
        return validate(schema, fields)

    def parse_large() -> M:
        try:
            return parse()
        finally:
            trim_heap()

    if received.size <= MAX_INLINE_BYTES:
        return parse()
    work = parse if received.size < TRIM_BYTES else parse_large
    # Not ``run``, whose further slots are for responses.
    [params] = await image_pool.map(lambda parse: parse(), [work])
    return params


def validate(schema: type[M], fields: Fields) -> M:
    """The fields of a request as its schema.

    Raises:
        InvalidError: with a pointer to each wrong field, up to ``MAX_ERRORS``.
    """
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
    # Not within the handler: the ValidationError keeps the body, and would be the context.
    raise InvalidError(
        [
            (json_pointer(e["loc"]), e["msg"].removeprefix("Value error, "))
            for e in errors[:MAX_ERRORS]
        ]
    )


async def _receive(
    request: Request, forms: BodyForms, settings: Settings, dim: int
) -> ReceivedBody:
    """The body, and how to parse it by its content type; GET and HEAD have their query alone."""
    if request.method in ("GET", "HEAD"):
        return ReceivedBody(0, dict)
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise ContentCodingError(
            f"the content coding {coding!r} is not accepted; send the body as it is"
        )
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == MULTIPART and forms.multipart is not None:
        return await receive_form(request, settings, forms.multipart)
    parse: Callable[[bytes], Fields]
    if content_type == JSON or (not content_type and forms.image is None):
        parse = partial(from_json, max_operands=settings.max_images)
    elif content_type == NPY and forms.array is not None:
        parse = partial(_array_fields, forms.array, dim, settings.max_images)
    elif forms.image is not None and (
        content_type.startswith("image/") or content_type == "application/octet-stream"
    ):
        image = forms.image
        body = await read_body(request, settings.max_body_bytes)
        return ReceivedBody(0, lambda: {image: [body]})
    else:
        raise BodyTypeError(
            f"{content_type or 'no content type'} is not accepted here; send "
            f"{_join_or(_accepted(forms))}"
        )
    body = await read_body(request, settings.max_body_bytes)
    return ReceivedBody(len(body), partial(parse, body))


def _array_fields(field: str, dim: int, max_rows: int, body: bytes) -> Fields:
    return {field: from_npy(body, dim, max_rows).tolist()}


def _accepted(forms: BodyForms) -> list[str]:
    accepted = [JSON]
    if forms.multipart is not None:
        accepted.insert(0, MULTIPART)
    if forms.array is not None:
        accepted.append(NPY)
    if forms.image is not None:
        accepted.append("image/*")
    return accepted


def _join_or(options: list[str]) -> str:
    return f"{', '.join(options[:-1])} or {options[-1]}" if len(options) > 1 else options[0]

"""The body of a request as bytes within its limit, and what can be wrong with a body."""

import io
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

Fields = dict[str, Any]

MAX_LENGTH_DIGITS = 20  # of a Content-Length that is looked at


class UnreadableBodyError(Exception):
    """The body is broken: not the JSON, multipart or npy that it is declared as."""


class SlowBodyError(Exception):
    """The body was not received before the request's deadline."""


class BodyTypeError(Exception):
    """The endpoint does not accept bodies of this type."""


class ContentCodingError(Exception):
    """The body has a content coding, such as gzip; none is accepted."""


class TooLargeError(Exception):
    """The body, or a part of it, is over its limit."""


class InvalidError(Exception):
    """The request is readable but out of range.

    Attributes:
        errors: pairs of a JSON pointer and what is wrong there.
    """

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{pointer or '#'}: {detail}" for pointer, detail in errors))
        self.errors = errors


@dataclass(frozen=True)
class ReceivedBody:
    """A body that is complete but not parsed.

    Attributes:
        size: bytes that are to be parsed.
        parse: gives the fields of the request; raises ``UnreadableBodyError``, ``TooLargeError`` or
            ``InvalidError``. May take long: not for the event loop where ``size`` is large.
    """

    size: int
    parse: Callable[[], Fields]


async def read_body(request: Request, limit: int) -> bytes:
    """The complete body.

    Raises:
        TooLargeError: if it has more than ``limit`` bytes.
    """
    body = io.BytesIO()  # gives its bytes away without a copy
    async for chunk in limited_body(request, limit):
        body.write(chunk)
    return body.getvalue()


async def limited_body(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The chunks of the body.

    Raises:
        TooLargeError: as soon as it is known that there are more than ``limit`` bytes.
    """
    declared = request.headers.get("content-length", "")
    is_number = declared.isascii() and declared.isdigit() and len(declared) < MAX_LENGTH_DIGITS
    size = int(declared) if is_number else 0
    if size <= limit:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                break
            yield chunk
    if size > limit:
        raise TooLargeError(f"the body is larger than the limit of {limit} bytes")

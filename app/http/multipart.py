"""Bodies of type ``multipart/form-data``."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from app.http.body import (
    Fields,
    InvalidError,
    ReceivedBody,
    TooLargeError,
    UnreadableBodyError,
    limited_body,
)
from app.http.json_body import from_json
from app.http.pointers import json_pointer
from app.settings import Settings

MAX_OPTIONS = 16  # text fields of a form beside its operands
MAX_TEXT_BYTES = 2**20


@dataclass(frozen=True)
class FormFields:
    """Which parts of a form are more than text.

    Attributes:
        images: field of image files; None if there is none.
        operands: fields that are each one operand: a file, or text such as ``{"seed": 7}``.
        groups: fields that each collect one or more operands.
        named_operands: field that collects all other operands in lists by their names; None if
            there is none.
    """

    images: str | None = None
    operands: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    named_operands: str | None = None


@dataclass(frozen=True)
class Part:
    """A part of a form.

    Attributes:
        name: of the field.
        content: bytes of a file, or text.
    """

    name: str
    content: bytes | str


async def receive_form(
    request: Request, settings: Settings, form_fields: FormFields
) -> ReceivedBody:
    """The form in the body of a request.

    Raises:
        UnreadableBodyError: if it is broken.
        TooLargeError: if it, or a part of it, is over its limit.
    """
    form = await _read_form(request, settings)
    try:
        parts = [part async for part in _parts(form)]
    finally:
        await form.close()
    size = sum(len(part.content) for part in parts if isinstance(part.content, str))
    return ReceivedBody(size, lambda: _fields(parts, form_fields))


class StrictMultiPartParser(MultiPartParser):
    """Starlette's parser, which by itself accepts a form that ends too early."""

    spool_max_size = 0  # files stay in memory: the body as such is limited

    def __init__(self, headers: Headers, body: AsyncGenerator[bytes, None], **limits: int) -> None:
        super().__init__(headers, self._checked(body), **limits)
        self._ended = False

    def on_end(self) -> None:
        """Note the last boundary."""
        self._ended = True

    async def _checked(self, body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async for chunk in body:
            yield chunk
        if not self._ended:
            raise MultiPartException("it ends before its last boundary")


async def _read_form(request: Request, settings: Settings) -> FormData:
    files, fields = settings.max_images, settings.max_images + MAX_OPTIONS
    body = limited_body(request, settings.max_body_bytes)
    try:
        return await StrictMultiPartParser(
            request.headers, body, max_files=files, max_fields=fields, max_part_size=MAX_TEXT_BYTES
        ).parse()
    except MultiPartException as error:
        if error.message.startswith("Too many"):
            raise TooLargeError(f"more than {files} files or {fields} fields in a form") from None
        if "exceeded maximum size" in error.message:
            raise TooLargeError(f"a form field is larger than {MAX_TEXT_BYTES} bytes") from None
        raise UnreadableBodyError(f"the form is broken: {error.message}") from None
    except (ValueError, KeyError, LookupError) as error:
        raise UnreadableBodyError(f"the form is broken: {error}") from None


async def _parts(form: FormData) -> AsyncGenerator[Part, None]:
    """The parts; lone surrogates in names and texts, which no response can quote, are replaced."""
    for name, value in form.multi_items():
        content = await value.read() if isinstance(value, UploadFile) else _complete(value)
        yield Part(_complete(name), content)


def _complete(text: str) -> str:
    return text.encode(errors="replace").decode()


def _fields(parts: list[Part], form_fields: FormFields) -> Fields:
    """The fields of a form.

    Raises:
        InvalidError: if a part does not fit.
    """
    fields: Fields = {}
    groups: dict[str, list[Fields]] = {}
    for part in parts:
        name, content = part.name, part.content
        is_operand = isinstance(content, bytes) or (
            form_fields.named_operands is not None and content.lstrip().startswith("{")
        )
        if name == form_fields.images:
            data = content.encode() if isinstance(content, str) else content
            fields.setdefault(name, []).append(data)
        elif name in form_fields.groups:
            fields.setdefault(name, []).append(_operand(part))
        elif is_operand and name not in form_fields.operands:
            if form_fields.named_operands is None:
                detail = "this endpoint has no such file field"
                raise InvalidError([(json_pointer((name,)), detail)])
            groups.setdefault(name, []).append(_operand(part))
        elif name in fields:
            raise InvalidError([(json_pointer((name,)), "sent twice; one is accepted")])
        else:
            fields[name] = _operand(part) if name in form_fields.operands else content
    if form_fields.named_operands is not None:
        fields[form_fields.named_operands] = groups
    return fields


def _operand(part: Part) -> Fields:
    """A file is an image; text is a JSON operand."""
    if isinstance(part.content, bytes):
        return {"image": part.content}
    try:
        return from_json(part.content.encode(), 1)
    except UnreadableBodyError:
        raise InvalidError(
            [(json_pointer((part.name,)), 'send a file, or a JSON operand such as {"seed": 7}')]
        ) from None

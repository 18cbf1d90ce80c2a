"""Bodies of type ``multipart/form-data``.

A part is a file if it has a filename, if its type says that it is an image, or if it begins like
one: some form libraries send no filename, or ``filename*`` alone.
"""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header
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
from app.images.formats import HEAD_LENGTH, is_image
from app.settings import Settings

MAX_OPTIONS = 16  # text fields of a form beside its operands
MAX_TEXT_BYTES = 2**20
FILENAME = re.compile(r"[^\n\0]{1,255}\.(png|jpe?g|webp|gif|bmp|tiff?|avif|hei[cf])", re.IGNORECASE)
MAX_QUOTED = 100  # characters of a text that an error repeats


@dataclass(frozen=True)
class FormFields:
    """Which parts of a form are more than text.

    Attributes:
        images: field of image files; None if there is none.
        files: fields that are each one image file.
        operands: fields that are each one operand: a file, or text such as ``{"seed": 7}``.
        groups: fields that each collect one or more operands.
        named_operands: field that collects all other operands in lists by their names; None if
            there is none.
    """

    images: str | None = None
    files: tuple[str, ...] = ()
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

    def on_headers_finished(self) -> None:
        """Make a file of a part that says that it is an image, or has ``filename*`` alone."""
        part = self._current_part
        _, options = parse_options_header(part.content_disposition)
        media_type = dict(part.item_headers).get(b"content-type", b"").lower()
        if b"filename" not in options and (
            b"filename*" in options or media_type.startswith(b"image/")
        ):
            self._set_filename()
        super().on_headers_finished()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Make a file of a part that begins like an image."""
        part = self._current_part
        before = len(part.data)
        if part.file is None and before < HEAD_LENGTH <= before + end - start:
            head = bytes(part.data) + data[start : start + HEAD_LENGTH - before]
            if is_image(head):
                self._current_fields -= 1
                kept, part.data = bytes(part.data), bytearray()
                self._set_filename()
                super().on_headers_finished()
                self._file_parts_to_write.append((part, kept))
        super().on_part_data(data, start, end)

    def _set_filename(self) -> None:
        """Give the current part a filename, which makes it a file."""
        part = self._current_part
        part.content_disposition = (part.content_disposition or b"") + b'; filename="image"'

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
        if isinstance(content, str) and _should_be_file(part, form_fields):
            raise InvalidError([(json_pointer((name,)), _not_a_file(part.name, content))])
        if name == form_fields.images:
            fields.setdefault(name, []).append(content)
        elif name in form_fields.groups:
            fields.setdefault(name, []).append(_operand(part))
        elif is_operand and name not in (*form_fields.operands, *form_fields.files):
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


def _should_be_file(part: Part, form_fields: FormFields) -> bool:
    """Whether a text stands where a file is expected, and cannot be anything else."""
    text = part.content
    if part.name == form_fields.images or part.name in form_fields.files:
        return True
    operands = (*form_fields.operands, *form_fields.groups)
    takes_files = form_fields.named_operands is not None or part.name in operands
    return takes_files and isinstance(text, str) and FILENAME.fullmatch(text.strip()) is not None


def _not_a_file(name: str, text: str) -> str:
    quoted = text[:MAX_QUOTED]
    return (
        f"the text {quoted!r} was sent, not a file; with curl, name a file after an @, as in "
        f"-F {name[:MAX_QUOTED]}=@{quoted if FILENAME.fullmatch(quoted) else 'me.jpg'}"
    )


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

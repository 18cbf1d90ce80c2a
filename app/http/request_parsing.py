"""The three ways a request may be written (multipart, raw body, JSON), made into one."""

import io
import math
from collections.abc import AsyncGenerator, Collection, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pydantic_core
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from app.http.schemas import MAX_LATENT
from app.settings import Settings

Fields = dict[str, Any]
M = TypeVar("M", bound=BaseModel)

RESERVED_QUERY = ("model", "format")  # query parameters that are not fields of a request
NPY = "application/x-npy"
MAX_OPTIONS = 16  # text fields of a form beside its operands
MAX_FIELDS = 64  # of a request, whose schema has fewer
MAX_ERRORS = 100  # that are told
MAX_POINTER_SEGMENT = 100  # characters of a name that is told
MAX_DIGITS = 20  # of a length that is worth reading
MAX_DIMENSION = 2**63


class UnreadableBodyError(Exception):
    """The body is broken: not the JSON, multipart or npy that it says it is."""


class SlowBodyError(Exception):
    """The body was not there when the request's time was up."""


class BodyTypeError(Exception):
    """The body is of a type that this endpoint does not take."""


class TooLargeError(Exception):
    """The body, or a part of it, is over its limit."""


class InvalidError(Exception):
    """The request is readable but out of range.

    Attributes:
        errors: pairs of JSON pointer and what is wrong there.
    """

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{pointer or '#'}: {detail}" for pointer, detail in errors))
        self.errors = errors


async def read(
    request: Request,
    settings: Settings,
    operands: Collection[str] = (),
    raw: str | None = None,
    named: str | None = None,
) -> Fields:
    """The fields of a request, whichever way it was written, not yet validated.

    Options may also stand in the query, which is where they must be when the body is the picture.

    Args:
        request: to be read.
        settings: for the limits.
        operands: fields that are operands, in multipart a file or a JSON operand.
        raw: the field that a bare picture body is, where the endpoint takes one.
        named: the field that collects every other multipart name as lists of operands.

    Raises:
        UnreadableBodyError, BodyTypeError, TooLargeError, InvalidError: as they say.
    """
    fields = _options(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        fields |= await _multipart(request, settings, operands, raw, named)
    elif kind == "application/json" or (not kind and raw is None):
        fields |= from_json(await _body(request, settings), settings.max_pictures)
    elif raw is not None and (kind.startswith("image/") or kind == "application/octet-stream"):
        fields[raw] = [await _body(request, settings)]
    else:
        taken = ["multipart/form-data", "application/json"] + (["image/*"] if raw else [])
        raise BodyTypeError(
            f"{kind or 'no content type'} is not taken here; send {_join_or(taken)}"
        )
    return _check_field_count(fields)


async def read_latents(request: Request, settings: Settings, dim: int) -> Fields:
    """The ``latents`` of a JSON or npy body; npy is checked before anything is allocated."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    fields = _options(request)
    if kind == NPY:
        body = await _body(request, settings)
        fields["latents"] = from_npy(body, dim, settings.max_pictures).tolist()
    elif kind in ("application/json", ""):
        fields |= from_json(await _body(request, settings), settings.max_pictures)
    else:
        raise BodyTypeError(f"{kind} is not taken here; send application/json or {NPY}")
    return _check_field_count(fields)


def _options(request: Request) -> Fields:
    return {k: v for k, v in request.query_params.items() if k not in RESERVED_QUERY}


def _check_field_count(fields: Fields) -> Fields:
    if len(fields) > MAX_FIELDS:
        raise InvalidError([("#", f"{len(fields)} fields; at most {MAX_FIELDS} are read")])
    return fields


def validate(schema: type[M], fields: Fields) -> M:
    """The request as its schema.

    Raises:
        InvalidError: with a pointer to each bad field, up to ``MAX_ERRORS``.
    """
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidError(
            [
                (_pointer(e["loc"]), e["msg"].removeprefix("Value error, "))
                for e in found[:MAX_ERRORS]
            ]
        ) from None


def _pointer(place: tuple[int | str, ...]) -> str:
    """A URI fragment JSON pointer, RFC 6901."""
    steps = (str(p)[:MAX_POINTER_SEGMENT].replace("~", "~0").replace("/", "~1") for p in place)
    return "#" + "".join(f"/{step}" for step in steps)


def _join_or(options: list[str]) -> str:
    return f"{', '.join(options[:-1])} or {options[-1]}"


async def _body(request: Request, settings: Settings) -> bytes:
    body = io.BytesIO()  # gives its bytes away without a copy
    async for chunk in limited(request, settings.max_body_bytes):
        body.write(chunk)
    return body.getvalue()


async def limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The chunks of the body, cut off as soon as it is known to be over the limit."""
    declared = request.headers.get("content-length", "")
    told = declared.isascii() and declared.isdigit() and len(declared) < MAX_DIGITS
    seen = int(declared) if told else 0
    if seen <= limit:
        seen = 0
        async for chunk in request.stream():
            seen += len(chunk)
            if seen > limit:
                break
            yield chunk
    if seen > limit:
        raise TooLargeError(f"the body is larger than the limit of {limit} bytes")


def from_json(body: bytes, operands: int) -> Fields:
    """The object in a JSON body that has no more values than so many operands need."""
    if not body:
        return {}
    limit = (operands + 1) * MAX_LATENT
    if sum(map(body.count, (b",", b"[", b"{"))) > limit:
        raise TooLargeError(f"the JSON has more than {limit} values")
    try:
        value = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise UnreadableBodyError(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidError([("#", "the body must be a JSON object")])
    members = MAX_FIELDS + 8 * operands
    if body.count(b":") > members:
        raise TooLargeError(f"the JSON has more than {members} members")
    return value


async def _multipart(
    request: Request,
    settings: Settings,
    operands: Collection[str],
    raw: str | None,
    named: str | None,
) -> Fields:
    fields: Fields = {}
    groups: dict[str, list[Fields]] = {}
    async with await _form(request, settings) as form:
        for name, value in _texts(form):
            if raw is not None and name == raw:
                fields.setdefault(raw, []).append(await _bytes(value))
            elif name in operands:
                if name in fields:
                    raise InvalidError([(_pointer((name,)), "sent twice; one is taken")])
                fields[name] = await _operand(name, value)
            elif isinstance(value, UploadFile) or (named and value.lstrip().startswith("{")):
                if named is None:
                    raise InvalidError([(_pointer((name,)), "no such file field here")])
                groups.setdefault(name, []).append(await _operand(name, value))
            elif name in fields:
                raise InvalidError([(_pointer((name,)), "sent twice; one is taken")])
            else:
                fields[name] = value
    if named is not None:
        fields[named] = groups
    return fields


def _texts(form: FormData) -> Iterator[tuple[str, UploadFile | str]]:
    """The parts, their names and texts free of halves of characters that no answer could quote."""
    for name, value in form.multi_items():
        yield _whole(name), _whole(value) if isinstance(value, str) else value


def _whole(text: str) -> str:
    return text.encode(errors="replace").decode()


async def _form(request: Request, settings: Settings) -> Any:
    """The parsed form, from a body that may not exceed its limit."""
    files, fields = settings.max_pictures, settings.max_pictures + MAX_OPTIONS
    body = limited(request, settings.max_body_bytes)
    try:
        form = await StrictMultiPartParser(
            request.headers, body, max_files=files, max_fields=fields, max_part_size=2**20
        ).parse()
    except MultiPartException as error:
        if error.message.startswith("Too many"):
            raise TooLargeError(f"more than {files} files or {fields} fields in a form") from None
        if "exceeded maximum size" in error.message:
            raise TooLargeError("a form field is larger than 1048576 bytes") from None
        raise UnreadableBodyError(f"the form is broken: {error.message}") from None
    except (ValueError, KeyError, LookupError) as error:
        raise UnreadableBodyError(f"the form is broken: {error}") from None
    return _closing(form)


class StrictMultiPartParser(MultiPartParser):
    """Starlette's parser, which by itself takes a form that breaks off for a whole one."""

    spool_max_size = 0  # no picture goes through a file; what is read is limited as a whole

    def __init__(self, headers: Headers, body: AsyncGenerator[bytes, None], **limits: int) -> None:
        super().__init__(headers, self._to_the_end(body), **limits)
        self._ended = False

    def on_end(self) -> None:
        """The last boundary has come."""
        self._ended = True

    async def _to_the_end(self, body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async for chunk in body:
            yield chunk
        if not self._ended:
            raise MultiPartException("it ends before its last boundary")


class _closing:  # noqa: N801 -- reads as contextlib.closing does
    def __init__(self, form: FormData) -> None:
        self._form = form

    async def __aenter__(self) -> FormData:
        return self._form

    async def __aexit__(self, *_: object) -> None:
        await self._form.close()


async def _bytes(value: UploadFile | str) -> bytes:
    return value.encode() if isinstance(value, str) else await value.read()


async def _operand(name: str, value: UploadFile | str) -> Fields:
    """A file is a picture; text is a JSON operand such as ``{"seed": 7}``."""
    if isinstance(value, UploadFile):
        return {"image": await value.read()}
    try:
        return from_json(value.encode(), 1)
    except UnreadableBodyError:
        raise InvalidError(
            [(_pointer((name,)), 'send a file, or a JSON operand such as {"seed": 7}')]
        ) from None


def from_npy(body: bytes, dim: int, most: int) -> npt.NDArray[np.float64]:
    """A ``(N, dim)`` array of float16, 32 or 64, N up to ``most``."""
    stream = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"version {version} is not read")
        if any(abs(n) > MAX_DIMENSION for n in shape):  # which could not even be told
            raise ValueError("its shape is beyond any file")
        if any(isinstance(n, bool) for n in shape):  # to numpy's reader they are numbers
            raise ValueError("its shape is not of numbers")
    except Exception as error:  # numpy's reader raises what it likes on hostile bytes
        raise UnreadableBodyError(f"the body is not an .npy file: {error}") from None
    if dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise InvalidError([("#/latents", f"dtype is {dtype}; send float16, float32 or float64")])
    if len(shape) != 2 or shape[1] != dim:
        raise InvalidError([("#/latents", f"shape is {shape}; this model takes (N, {dim})")])
    data = body[stream.tell() :]
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise UnreadableBodyError(
            f"the .npy header promises shape {shape}, but {len(data)} bytes of data follow"
        )
    if shape[0] > most:
        raise TooLargeError(f"{shape[0]} latents; one request takes {most}")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(np.float64)

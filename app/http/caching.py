"""Responses that depend on the request alone: their validators, and how long they can be kept.

A response made of seeds and latents, without an image that was sent, is always the same for the
same model, parameters, form and code. ``docs/decisions/0047`` has the reasons.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache, singledispatch
from importlib import metadata
from pathlib import Path

from fastapi import Request, Response
from pydantic import BaseModel

from app.http import schemas
from app.http.compression import accepts_gzip
from app.http.context import request_context
from app.http.negotiation import JSON
from app.inference.loaded_model import LoadedModel
from app.operations.expression import ExpressionError, parse
from app.settings import Settings

PROJECT = Path(__file__).parents[2]
PACKAGES = ("app", "vae")  # whose code makes the responses
LIBRARIES = ("numpy", "pillow", "torch")  # whose results may differ between versions
MAX_AGE_SECONDS = 31_536_000  # a year, which means for good (RFC 9111, section 1.2.2)
TAG_DIGITS = 32
ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class NotModifiedError(Exception):
    """The caller has the response already; only its headers are sent.

    Args:
        vary: value of the header ``Vary``.
    """

    def __init__(self, vary: str) -> None:
        super().__init__("the caller has this response")
        self.vary = vary


@singledispatch
def is_reproducible(params: BaseModel, directions: Collection[str]) -> bool:
    """Whether the response to a request depends on seeds, latents and the checkpoint alone.

    Args:
        params: the fields of the request.
        directions: of the checkpoint; one that was saved may change.
    """
    del params, directions
    return False


@is_reproducible.register
def _(params: schemas.SampleRequest, _: Collection[str]) -> bool:
    return params.seed is not None


@is_reproducible.register
def _(_: schemas.DecodeRequest, __: Collection[str]) -> bool:
    return True


@is_reproducible.register
def _(params: schemas.InterpolateRequest, _: Collection[str]) -> bool:
    return not _has_images(params.start, params.via, params.end)


@is_reproducible.register
def _(params: schemas.TraverseRequest, directions: Collection[str]) -> bool:
    axes = {axis for axis in (params.along, params.across) if isinstance(axis, str)}
    return axes <= set(directions) and not _has_images(params.operand)


@is_reproducible.register
def _(params: schemas.ArithmeticRequest, directions: Collection[str]) -> bool:
    try:
        names = {term.name for term in parse(params.expression)}
    except ExpressionError:
        return False
    known = {*params.operands, *directions}
    return names <= known and not _has_images(*params.operands.values())


def _has_images(*groups: Iterable[schemas.Operand]) -> bool:
    return any(operand.image is not None for group in groups for operand in group)


def check_caches(
    request: Request,
    settings: Settings,
    model: LoadedModel,
    detail: float,
    params: BaseModel,
    media_type: str,
) -> None:
    """Give a reproducible response its cache headers, or end a request that needs no other one.

    Args:
        request: whose response is about to be made.
        settings: a response to a request with a key is for its caller alone.
        model: that would make it.
        detail: of its images.
        params: the fields of the request.
        media_type: of the response.

    Raises:
        NotModifiedError: if ``If-None-Match`` has the tag of the response, or ``*``.
    """
    if not is_reproducible(params, model.checkpoint.directions):
        return
    encoded = media_type == JSON and accepts_gzip(request.scope)
    tag = _entity_tag(model, detail, params, f"{media_type} {'gzip' if encoded else ''}")
    visibility = "private" if settings.needs_key else "public"
    vary = "Accept, Accept-Encoding" if media_type == JSON else "Accept"
    check_tag(request, tag, f"{visibility}, max-age={MAX_AGE_SECONDS}, immutable", vary)


def check_tag(request: Request, tag: str, cache_control: str, vary: str) -> None:
    """Give a response its cache headers, or end a request that needs no other one.

    Args:
        request: whose response is about to be made.
        tag: the entity tag of the response.
        cache_control: value of ``Cache-Control``.
        vary: value of ``Vary``.

    Raises:
        NotModifiedError: if ``If-None-Match`` has the tag of the response, or ``*``.
    """
    request_context(request.scope).cache_headers = {
        b"etag": tag.encode(),
        b"cache-control": cache_control.encode(),
    }
    if _matches(", ".join(request.headers.getlist("if-none-match")), tag):
        raise NotModifiedError(vary)


async def not_modified(_: Request, error: Exception) -> Response:
    """The response to ``NotModifiedError``; a middleware adds the cache headers."""
    assert isinstance(error, NotModifiedError)
    return Response(status_code=304, headers={"Vary": error.vary})


def _entity_tag(model: LoadedModel, detail: float, params: BaseModel, form: str) -> str:
    """A strong entity tag (RFC 9110, section 8.8.3)."""
    fields: Mapping[str, object] = {"detail": detail}
    operands = getattr(params, "operands", None)
    if operands is not None:
        fields = {**fields, "operands": dict(sorted(operands.items()))}
    canonical = params.model_copy(update=fields).model_dump_json()
    parts = (code_version(), model.id, *model.hashes, form, canonical)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f'"{digest[:TAG_DIGITS]}"'


def _matches(if_none_match: str, tag: str) -> bool:
    """Whether a list of entity tags has this one, by weak comparison (RFC 9110, 13.1.2)."""
    return if_none_match.strip() == "*" or tag in ENTITY_TAG.findall(if_none_match)


@cache
def code_version() -> str:
    """A hash of the code that makes the responses, and of the libraries that it uses.

    The first call reads all files; later ones do not.
    """
    digest = hashlib.sha256()
    for package in PACKAGES:
        for file in sorted((PROJECT / package).rglob("*.py")):
            digest.update(f"{file.relative_to(PROJECT)}\n".encode() + file.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library} {metadata.version(library)}\n".encode())
    return digest.hexdigest()

"""Each endpoint as a function from its arguments to its request and the reader of its response."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import numpy as np

from lorgnette_client import parsing
from lorgnette_client.call import Call
from lorgnette_client.operands import (
    Group,
    Latents,
    NamedGroups,
    Part,
    group_parts,
    image_parts,
    option_parts,
    text,
)
from lorgnette_client.options import Axis
from lorgnette_client.pictures import Picture, Pictures
from lorgnette_client.results import (
    Direction,
    Directions,
    Edit,
    Images,
    ModelInfo,
    Photograph,
    Posteriors,
    Reload,
    Scores,
)

T = TypeVar("T")
Options = Mapping[str, Any]  # one of ``lorgnette_client.options``
QUERY = ("model",)  # options that are never in a body


def encode(pictures: Pictures, format: str | None, options: Options) -> Call[Posteriors | bytes]:
    """``POST /encode``."""
    read = parsing.content if format else parsing.posteriors
    return _form("/encode", read, image_parts("image", pictures), format, options)


def decode(latents: Latents, format: str | None, options: Options) -> Call[Images | bytes]:
    """``POST /decode``, whose options are in the query, because its body is an ``.npy`` file."""
    stream = io.BytesIO()
    np.save(stream, np.atleast_2d(latents), allow_pickle=False)
    read, query = parsing.content if format else parsing.images, _drawn(options, format)
    return Call("POST", "/decode", read, query, npy=stream.getvalue())


def reconstruct(pictures: Pictures, format: str | None, options: Options) -> Call[Images | bytes]:
    """``POST /reconstruct``."""
    read = parsing.content if format else parsing.images
    return _form("/reconstruct", read, image_parts("image", pictures), format, options)


def sample(format: str | None, options: Options) -> Call[Images | bytes]:
    """``GET /sample``, because its options are short."""
    read = parsing.content if format else parsing.images
    return Call("GET", "/sample", read, _drawn(options, format))


def interpolate(
    start: Group, end: Group, format: str | None, options: Options
) -> Call[Images | bytes]:
    """``POST /interpolate``."""
    parts = [*group_parts("start", start), *group_parts("end", end)]
    if len(options.get("via", ())):
        parts += group_parts("via", options["via"])
    fields = {name: value for name, value in options.items() if name != "via"}
    read = parsing.content if format else parsing.images
    return _form("/interpolate", read, parts, format, fields)


def traverse(
    operand: Group, along: Axis, format: str | None, options: Options
) -> Call[Images | bytes]:
    """``POST /traverse``."""
    parts = [*group_parts("operand", operand), *option_parts({"along": along})]
    read = parsing.content if format else parsing.images
    return _form("/traverse", read, parts, format, options)


def arithmetic(
    expression: str, operands: NamedGroups, format: str | None, options: Options
) -> Call[Edit | bytes]:
    """``POST /arithmetic``."""
    parts = option_parts({"expression": expression})
    for name, group in operands.items():
        parts += group_parts(name, group)
    read = parsing.content if format else parsing.edit
    return _form("/arithmetic", read, parts, format, options)


def inpaint(
    picture: Picture, mask: Picture, format: str | None, options: Options
) -> Call[Images | bytes]:
    """``POST /inpaint``."""
    parts = [*image_parts("image", [picture]), *image_parts("mask", [mask])]
    read = parsing.content if format else parsing.images
    return _form("/inpaint", read, parts, format, options)


def score(pictures: Pictures, options: Options) -> Call[Scores]:
    """``POST /score``."""
    return _form("/score", parsing.scores, image_parts("image", pictures), None, options)


def faces(pictures: Pictures) -> Call[tuple[Photograph, ...]]:
    """``POST /faces``."""
    return _form("/faces", parsing.photographs, image_parts("image", pictures), None, {})


def directions(options: Options) -> Call[Directions]:
    """``GET /directions``."""
    return Call("GET", "/directions", parsing.directions, _query(options))


def direction(name: str, options: Options) -> Call[Direction]:
    """``GET /directions/{name}``."""
    return Call("GET", _direction(name), parsing.direction, _query(options))


def put_direction(
    name: str, positives: Group, negatives: Group | None, options: Options
) -> Call[Direction]:
    """``PUT /directions/{name}``."""
    parts = group_parts("with", positives)
    if negatives is not None:
        parts += group_parts("without", negatives)
    query, fields = _split(options)
    parts += option_parts(fields)
    path = _direction(name)
    return Call("PUT", path, parsing.direction, _query(query), parts, expected=(200, 201))


def delete_direction(name: str, options: Options) -> Call[None]:
    """``DELETE /directions/{name}``; a second one is 404."""
    path, query = _direction(name), _query(options)
    return Call("DELETE", path, parsing.nothing, query, expected=(204,), repeatable=False)


def preview_direction(name: str, format: str | None, options: Options) -> Call[Images | bytes]:
    """``GET /directions/{name}/preview``."""
    read = parsing.content if format else parsing.images
    return Call("GET", f"{_direction(name)}/preview", read, _drawn(options, format))


def models() -> Call[tuple[ModelInfo, ...]]:
    """``GET /models``."""
    return Call("GET", "/models", parsing.models, {})


def model(name: str) -> Call[ModelInfo]:
    """``GET /models/{name}``."""
    return Call("GET", _model(name), parsing.model, {})


def reload(name: str) -> Call[Reload]:
    """``POST /models/{name}/reload``."""
    return Call("POST", f"{_model(name)}/reload", parsing.reload, {})


def live() -> Call[None]:
    """``GET /health/live``."""
    return Call("GET", "/health/live", parsing.nothing, {})


def ready() -> Call[bool]:
    """``GET /health/ready``; 503 is an answer, not an error."""
    expected = (200, 503)
    return Call("GET", "/health/ready", lambda r: r.status_code == 200, {}, expected=expected)


def metrics() -> Call[str]:
    """``GET /metrics``."""
    return Call("GET", "/metrics", lambda response: response.text, {})


def _model(name: str) -> str:
    return f"/models/{quote(name, safe='')}"


def _direction(name: str) -> str:
    return f"/directions/{quote(name, safe='')}"


def _form(
    path: str,
    read: Callable[[httpx.Response], T],
    parts: Sequence[Part],
    format: str | None,
    options: Options,
) -> Call[T]:
    """A form of images, operands and options."""
    query, fields = _split(options)
    return Call("POST", path, read, _drawn(query, format), [*parts, *option_parts(fields)])


def _split(options: Options) -> tuple[Options, Options]:
    """Options that must be in the query, and the others."""
    query = {name: value for name, value in options.items() if name in QUERY}
    return query, {name: value for name, value in options.items() if name not in QUERY}


def _query(options: Options) -> dict[str, str]:
    return {name: text(value) for name, value in options.items()}


def _drawn(options: Options, format: str | None) -> dict[str, str]:
    """The query for images; their form is JSON where the result is not the body as it is."""
    return _query(options) | {"format": format or "json"}

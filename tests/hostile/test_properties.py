"""What holds of the parsers whatever they are given; the examples are the same each time."""

import base64
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.http.base64_image import ImageBytes
from app.http.body import InvalidError, TooLargeError, UnreadableBodyError
from app.http.image_schemas import InpaintRequest
from app.http.json_body import from_json
from app.http.npy import from_npy
from app.http.request_parsing import validate
from app.http.schemas import ArithmeticRequest, DecodeRequest, InterpolateRequest
from app.images import decoding as images
from app.images import guards as screening
from app.images import png
from app.images import provenance as embedded
from app.images.errors import CorruptImageError, ImageTooLargeError, UnsupportedImageError
from app.operations.expression import MAX_LENGTH, ExpressionError, parse
from tests.hostile.formats import FORMATS, MAGICS, whole

bounded = settings(max_examples=100, derandomize=True, deadline=None, database=None)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True)
WEIGHTS = st.decimals(0, 1000, places=3)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
REFUSALS = (UnreadableBodyError, InvalidError, TooLargeError)


def says_why(error: Exception) -> None:
    assert len(str(error)) > 8


def pointed(errors: list[tuple[str, str]]) -> None:
    assert errors
    assert all(pointer.startswith("#") and detail for pointer, detail in errors)


@bounded
@given(st.lists(st.tuples(st.booleans(), WEIGHTS, NAMES), min_size=1, max_size=12))
def test_an_expression_that_is_written_is_read(terms: list[tuple[bool, Any, str]]) -> None:
    text = "".join(f" {'-' if minus else '+'} {weight}*{name}" for minus, weight, name in terms)
    wanted = [((-1.0 if minus else 1.0) * float(weight), name) for minus, weight, name in terms]
    assert [(term.weight, term.name) for term in parse(text)] == wanted


@bounded
@given(st.text(max_size=MAX_LENGTH + 5) | st.text("ab1.*+- \u00a0_", max_size=30))
@example("9" * 400 + "*a")
def test_an_expression_is_read_or_told_what_is_wrong(text: str) -> None:
    try:
        terms = parse(text)
    except ExpressionError as error:
        says_why(error)
    else:
        assert all(np.isfinite(term.weight) and term.name.isidentifier() for term in terms)


@bounded
@given(st.binary(max_size=200))
def test_base64_is_read_with_and_without_its_uri(data: bytes) -> None:
    text, adapter = base64.b64encode(data).decode(), TypeAdapter(ImageBytes)
    assert adapter.validate_python(text) == data
    assert adapter.validate_python(f"data:image/png;base64,{text}") == data


@bounded
@given(st.text() | st.text("data:;base64,AZ=/+ \n", max_size=40))
@example("001=")  # its last bits encode nothing: RFC 4648, section 3.5
def test_other_text_is_no_image(text: str) -> None:
    try:
        found = TypeAdapter(ImageBytes).validate_python(text)
    except ValidationError:
        return
    _, _, data = text.rpartition(",")
    written = re.sub("[ \t\r\n]", "", data).translate(str.maketrans("-_", "+/")).rstrip("=")
    encoded = base64.b64encode(found).decode().rstrip("=")
    last = len(found) % 3 > 0  # characters with bits that encode nothing
    assert encoded[: len(encoded) - last] == written[: len(written) - last]


@bounded
@given(st.dictionaries(st.text(), JSON_VALUES, max_size=6))
def test_an_object_that_is_written_as_json_is_read(value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    assert from_json(body, 64) == json.loads(body)


@bounded
@given(st.binary(max_size=80) | st.text('{}[]",:0123eE+-.ntrulfas\\ ', max_size=40))
def test_json_is_read_or_told_what_is_wrong(body: bytes | str) -> None:
    data = body if isinstance(body, bytes) else body.encode()
    try:
        assert isinstance(from_json(data, 64), dict)
    except REFUSALS as error:
        says_why(error)


@bounded
@given(
    st.dictionaries(
        st.sampled_from(["expression", "operands", "start", "latents", "image", "mask"]),
        JSON_VALUES,
    )
)
@pytest.mark.parametrize(
    "schema", [ArithmeticRequest, DecodeRequest, InpaintRequest, InterpolateRequest]
)
def test_fields_are_taken_or_pointed_at(schema: Any, fields: dict[str, Any]) -> None:
    try:
        validate(schema, fields)
    except InvalidError as error:
        says_why(error)
        pointed(error.errors)


@bounded
@given(st.binary(max_size=200), st.sampled_from([1, 2, 3]), st.integers(0, 300))
def test_an_array_is_read_or_told_what_is_wrong(tail: bytes, version: int, length: int) -> None:
    body = b"\x93NUMPY" + bytes((version, 0)) + length.to_bytes(2, "little") + tail
    with pytest.raises(REFUSALS):
        from_npy(body, 8, 64)


@bounded
@given(st.sampled_from(FORMATS), st.binary(max_size=300), st.integers(0, 200))
def test_an_image_is_read_or_refused(kind: str, noise: bytes, place: int) -> None:
    data = whole(kind)
    for damaged in (MAGICS[kind] + noise, data[:place] + noise + data[place + len(noise) :]):
        try:
            found = images.read(damaged, 16, 3, "crop", 10**6, 2**24)
        except (
            CorruptImageError,
            UnsupportedImageError,
            ImageTooLargeError,
        ) as error:
            says_why(error)
        else:
            assert found.pixels.shape == (16, 16, 3)


@bounded
@given(st.sampled_from(sorted(screening.WALKERS)), st.binary(max_size=300))
def test_screening_only_ever_counts(magic: bytes, noise: bytes) -> None:
    try:
        screening.check(magic + noise)
    except screening.StructureLimitError as error:
        says_why(error)


@bounded
@given(st.lists(st.floats(width=32), max_size=40), st.text(max_size=30), st.none() | st.integers())
def test_what_is_embedded_comes_back(values: list[float], model: str, seed: int | None) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    origin = embedded.ImageProvenance(model, np.array(values, np.float32), seed)
    text = embedded.write(origin, pixels, 1.0)[embedded.KEYWORD]
    found = embedded.read(text, pixels)
    assert found is not None
    assert (found.model, found.seed) == (model, seed)
    assert found.latent.tobytes() == origin.latent.tobytes()
    assert png.encode(pixels, {embedded.KEYWORD: text})


@bounded
@given(JSON_VALUES | st.text())
def test_any_other_note_is_no_origin(value: Any) -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    for note in (value, json.dumps(value)):
        assert embedded.read(note, pixels) is None

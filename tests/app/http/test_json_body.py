import json
from typing import Any

import pytest

from app.http.base64_image import PIECE_BYTES, LongString
from app.http.body import InvalidError, TooLargeError, UnreadableBodyError
from app.http.json_body import LONG_STRING, from_json

LONG = "A" * LONG_STRING


def read(value: Any) -> Any:
    return from_json(json.dumps(value).encode(), 64)


def plain(value: Any) -> Any:
    """The value with text in place of every long string."""
    if isinstance(value, LongString):
        return value.body[value.start : value.stop].decode()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "value",
    [
        {"image": LONG},
        {"image": [LONG, "short", LONG], "fit": "pad"},
        {"start": {"image": LONG}, "end": {"seed": 7}, "steps": 5},
        {"expression": "a - b", "operands": {"a": [{"image": LONG}], "b": {"latent": [0.5]}}},
        {"fit": 'a "quoted" word \\', "image": LONG, "x": "\\\\"},
        {"image": ["", "\\", '"', '\\"', LONG]},
    ],
)
def test_long_images_stay_where_they_are_and_all_else_is_parsed(value: Any) -> None:
    found = read(value)
    assert plain(found) == value
    assert LONG not in repr([item for item in found.values() if isinstance(item, str)])


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"expression": LONG}, "#/expression"),
        ({"latents": [[LONG]]}, "#/latents/0/0"),
        ({"start": {"image": {"x": LONG}}}, "#/start/image/x"),
        ({"start": {LONG: 1}}, "#/start"),
    ],
)
def test_no_other_text_may_be_long(value: Any, pointer: str) -> None:
    with pytest.raises(InvalidError, match="65536 bytes") as refused:
        read(value)
    assert refused.value.errors[0][0] == pointer


@pytest.mark.parametrize(
    "body",
    [
        b'{"image": "' + LONG.encode(),
        b'{"image": "' + LONG.encode() + b'" 1}',
        b'{"image": "' + LONG.encode() + b'\\"}',
        b'{"image": "' + LONG.encode() + b'"}}',
    ],
)
def test_a_broken_body_with_a_long_image_is_still_broken(body: bytes) -> None:
    with pytest.raises(UnreadableBodyError, match="not JSON"):
        from_json(body, 64)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" + b"," * 10**6, "values"),
        (b'"\\"' * 10**6, "quotation marks"),
        (b"{" + b",".join(b'"%d":1' % i for i in range(2000)) + b"}", "members"),
    ],
)
def test_a_body_has_no_more_than_its_operands_need(body: bytes, words: str) -> None:
    with pytest.raises(TooLargeError, match=words):
        from_json(body, 64)


@pytest.mark.parametrize("count", [1, 2, PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES + 1])
def test_a_quotation_mark_ends_a_string_after_an_even_number_of_backslashes(count: int) -> None:
    text = json.dumps("\\" * count + '"')[1:-1]
    found = plain(from_json(f'{{"image": ["{text}", "{LONG}"]}}'.encode(), 64))
    expected = text if len(text) >= LONG_STRING else json.loads(f'"{text}"')
    assert found == {"image": [expected, LONG]}

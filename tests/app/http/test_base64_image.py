import base64

import pytest

from app.http.base64_image import PIECE_BYTES, LongString, decode_base64

DATA = bytes(range(256)) * (PIECE_BYTES // 128)  # several pieces of text


def decoded(text: bytes, escaped: bool = True) -> bytes:
    return decode_base64(
        LongString(b'"' + text + b'"', 1, 1 + len(text), escaped).pieces(0), len(text)
    )


@pytest.mark.parametrize("cut", range(6))
def test_pieces_are_decoded_as_the_whole_is(cut: int) -> None:
    data = DATA[: len(DATA) - cut]
    assert decoded(base64.b64encode(data)) == data


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text[:-3],
        lambda text: text + b"A",
        lambda text: text + b"====",
        lambda text: text[: PIECE_BYTES - 4] + b"AA==" + text[PIECE_BYTES:],
        lambda text: text[: PIECE_BYTES - 1] + b"=" + text[PIECE_BYTES:],
        lambda text: text[: PIECE_BYTES + 3] + b"\\" + text[PIECE_BYTES + 4 :],
        lambda text: text + b"\\",
        lambda text: text + b"\xff",
    ],
)
def test_text_that_is_not_base64_in_any_piece_is_refused(edit: object) -> None:
    text = edit(base64.b64encode(DATA))  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"."):
        base64.b64decode(text, validate=True)
    with pytest.raises(ValueError, match=r"."):
        decoded(text)


@pytest.mark.parametrize("shift", range(4))
def test_a_slash_may_be_escaped_as_some_json_encoders_do(shift: int) -> None:
    data = DATA[:shift] + b"\xff" * (2 * PIECE_BYTES)
    text = base64.b64encode(data).replace(b"/", b"\\/")
    assert decoded(text) == data
    with pytest.raises(ValueError, match=r"."):
        decoded(text, escaped=False)


def test_no_text_is_no_bytes() -> None:
    assert decoded(b"") == b""


@pytest.mark.parametrize("shift", range(6))
def test_any_character_may_be_escaped_by_its_code(shift: int) -> None:
    data = DATA[:shift] + b"\xfb\xef\xbe" * PIECE_BYTES  # "++++" in base64
    text = base64.b64encode(data).replace(b"+", b"\\u002B").replace(b"A", b"\\u0041")
    assert decoded(text) == data
    with pytest.raises(ValueError, match=r"."):
        decoded(text.replace(b"\\u00", b"\\u01", 1))

"""Image files as base64 text or ``data:`` URIs, decoded a piece at a time.

A call into C holds the interpreter's lock until it returns, also on a thread. Decoding in pieces
lets the event loop run in between.
"""

import binascii
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

PIECE_BYTES = 2**18  # decoded in about half a millisecond
ESCAPE = re.compile(rb"\\(?:u00([0-7][0-9A-Fa-f])|/)")  # of a character that base64 may have
ESCAPE_BYTES = 6
MAX_DATA_HEAD = 1024  # bytes of a data: URI before its comma


@dataclass(frozen=True, slots=True)
class LongString:
    r"""A long string of a JSON body, left where it is.

    Attributes:
        body: UTF-8.
        start: of the string in it, after the quotation mark.
        stop: of the string, before the quotation mark.
        escaped: whether ``\/`` and ``\u002B`` mean one character, as in JSON.
    """

    body: bytes
    start: int
    stop: int
    escaped: bool = True

    def __len__(self) -> int:
        return self.stop - self.start

    def head(self) -> bytes:
        """The first bytes."""
        return self.body[self.start : min(self.stop, self.start + MAX_DATA_HEAD)]

    def pieces(self, skip: int) -> Iterator[bytes]:
        """The rest after ``skip`` bytes, without escapes."""
        carry = b""
        for start in range(self.start + skip, self.stop, PIECE_BYTES):
            piece = carry + self.body[start : min(self.stop, start + PIECE_BYTES)]
            if self.escaped:
                started = piece.rfind(b"\\", max(0, len(piece) - ESCAPE_BYTES + 1))
                cut = len(piece) if started < 0 or ESCAPE.match(piece, started) else started
                carry = piece[cut:]
                piece = ESCAPE.sub(_unescape, piece[:cut])
            yield piece
        yield carry


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)]) if match[1] else b"/"


def decode_base64(pieces: Iterable[bytes], size: int) -> bytes:
    """The bytes of base64 text, whose alphabet and padding must be exact.

    Args:
        pieces: of the text.
        size: bytes to allocate at once; a buffer that grows would leave holes in the heap.

    Raises:
        ValueError: if it is not base64.
    """
    decoded, carry, padded = io.BytesIO(), b"", False
    decoded.seek(size)
    decoded.write(b"\0")
    decoded.seek(0)
    for piece in pieces:
        text = carry + piece
        if text and padded:
            raise ValueError("base64 goes on after its padding")
        aligned = len(text) // 4 * 4
        carry = text[aligned:]
        decoded.write(binascii.a2b_base64(text[:aligned], strict_mode=True))
        padded = text[:aligned].endswith(b"=")
    if carry:
        raise ValueError("base64 ends in the middle")
    decoded.truncate()
    return decoded.getvalue()


def _from_base64(value: object) -> object:
    """The bytes of base64 text or of a ``data:`` URI; anything else is left to the validator."""
    if isinstance(value, str):
        try:
            data = value.encode("ascii")
        except UnicodeEncodeError:
            raise ValueError("not base64") from None
        value = LongString(data, 0, len(data), escaped=False)
    if not isinstance(value, LongString):
        return value
    skip, head = 0, value.head()
    if head.startswith(b"data:"):
        media_type, comma, _ = head.partition(b",")
        if not comma or not media_type.endswith(b";base64"):
            raise ValueError("a data: URI must contain base64: data:image/png;base64,...")
        skip = len(media_type) + 1
    try:
        return decode_base64(value.pieces(skip), len(value) // 4 * 3)
    except ValueError:
        raise ValueError("not base64") from None


ImageBytes = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "description": "An image as base64 or a `data:` URI.",
        }
    ),
]

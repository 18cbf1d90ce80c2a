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
# Of a character that base64 may have.
ESCAPE = re.compile(rb"\\(?:u00([0-7][0-9A-Fa-f])|([/nrt]))")
ESCAPED = {b"/": b"/", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
PERCENT = re.compile(rb"%(2[BbFf]|3[Dd]|0[AaDd]|20)")  # the same in a data: URI
LINE_BREAKS = b" \t\r\n"
STANDARD = bytes.maketrans(b"-_", b"+/")  # from the alphabet that is safe in URLs
NOT_BASE64 = "not base64 (RFC 4648; line breaks, both alphabets and absent padding are accepted)"
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
    return bytes([int(match[1], 16)]) if match[1] else ESCAPED[match[2]]


def _without_percents(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces of a ``data:`` URI with its percent-encoded characters decoded."""
    carry = b""
    for piece in pieces:
        text = carry + piece
        started = text.rfind(b"%", max(0, len(text) - 2))
        cut = len(text) if started < 0 else started
        carry = text[cut:]
        yield PERCENT.sub(lambda match: bytes([int(match[1], 16)]), text[:cut])
    yield carry


def decode_base64(pieces: Iterable[bytes], size: int) -> bytes:
    """The bytes of base64 text (RFC 4648): of either alphabet, with line breaks, padded or not.

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
        text = carry + piece.translate(STANDARD, LINE_BREAKS)
        if text and padded:
            raise ValueError("base64 goes on after its padding")
        aligned = len(text) // 4 * 4
        carry = text[aligned:]
        decoded.write(binascii.a2b_base64(text[:aligned], strict_mode=True))
        padded = text[:aligned].endswith(b"=")
    if carry:
        decoded.write(binascii.a2b_base64(carry.rstrip(b"=").ljust(4, b"="), strict_mode=True))
    decoded.truncate()
    return decoded.getvalue()


def _from_base64(value: object) -> object:
    """The bytes of base64 text or of a ``data:`` URI; anything else is left to the validator."""
    if isinstance(value, str):
        try:
            data = value.encode("ascii")
        except UnicodeEncodeError:
            raise ValueError(NOT_BASE64) from None
        value = LongString(data, 0, len(data), escaped=False)
    if not isinstance(value, LongString):
        return value
    skip, head = 0, value.head()
    if head[:5].lower() == b"data:":
        media_type, comma, _ = head.partition(b",")
        if not comma or media_type.rpartition(b";")[2].strip().lower() != b"base64":
            raise ValueError("a data: URI must contain base64: data:image/png;base64,...")
        skip = len(media_type) + 1
    pieces = value.pieces(skip)
    try:
        return decode_base64(_without_percents(pieces) if skip else pieces, len(value) // 4 * 3)
    except ValueError:
        raise ValueError(NOT_BASE64) from None


ImageBytes = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "description": "An image as base64 (RFC 4648, of either alphabet; line breaks are "
            "ignored, padding may be absent) or a `data:` URI.",
        }
    ),
]

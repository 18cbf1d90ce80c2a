"""JSON bodies, parsed a piece at a time.

Most of a large body is the base64 text of images. It stays where it is: the parser is given a short
placeholder instead, so that no call into C, which holds the interpreter's lock, takes long.
"""

import secrets
from collections.abc import Iterable, Iterator
from typing import Any

import pydantic_core

from app.http.base64_image import PIECE_BYTES, LongString
from app.http.body import Fields, InvalidError, TooLargeError, UnreadableBodyError
from app.http.pointers import json_pointer
from app.http.schemas import MAX_LATENT

MAX_FIELDS = 64  # of a request; no schema has as many
MEMBERS_PER_OPERAND = 8
LONG_STRING = 2**16  # bytes of a string that the parser is not given
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # which some programs write before UTF-8
LONG_FIELD = "image"  # the only field that may have one


def from_json(body: bytes, max_operands: int) -> Fields:
    """The object in a JSON body.

    Args:
        body: UTF-8; empty is an object without members.
        max_operands: operands that the request may have, which limits the values of the body.

    Returns:
        its members; a string of ``image`` that is long is a ``LongString``.

    Raises:
        TooLargeError: if it has more values than so many operands need.
        UnreadableBodyError: if it is not JSON.
        InvalidError: if it is no object, or another field has a long string.
    """
    if not body:
        return {}
    max_values = (max_operands + 1) * MAX_LATENT
    max_members = MAX_FIELDS + MEMBERS_PER_OPERAND * max_operands
    if _count(body, b",[{", max_values) > max_values:
        raise TooLargeError(f"the JSON has more than {max_values} values")
    long_strings: dict[str, LongString] = {}
    if len(body) > LONG_STRING:
        max_quotes = 2 * (max_values + max_members)
        if _count(body, b'"', max_quotes) > max_quotes:
            raise TooLargeError(f"the JSON has more than {max_quotes} quotation marks")
        body, long_strings = _without_long_strings(body)
    body = body.removeprefix(BYTE_ORDER_MARK)
    value = _parsed(body)
    if not isinstance(value, dict):
        raise InvalidError([("#", "the body must be a JSON object")])
    if _count(body, b":", max_members) > max_members:
        raise TooLargeError(f"the JSON has more than {max_members} members")
    if long_strings:
        _restore(value, long_strings, ())
    return value


def _parsed(body: bytes) -> Any:
    try:
        return pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        reason = str(error)
    # Not within the handler: the traceback of its error keeps the body.
    raise UnreadableBodyError(f"the body is not JSON: {reason}")


def _count(body: bytes, characters: bytes, limit: int) -> int:
    """How often the characters occur; beyond ``limit`` at least that often."""
    total = 0
    for start in range(0, len(body), PIECE_BYTES):
        total += sum(body.count(c, start, start + PIECE_BYTES) for c in characters)
        if total > limit:
            break
    return total


def _without_long_strings(body: bytes) -> tuple[bytes, dict[str, LongString]]:
    """The body with a placeholder for each long string, and the strings by placeholder."""
    prefix = secrets.token_hex(16)  # so that no string of the body is one by chance
    strings: dict[str, LongString] = {}
    kept: list[bytes] = []
    copied = 0
    for start, stop in _strings(body):
        if stop - start >= LONG_STRING:
            placeholder = f"{prefix}-{len(strings)}"
            strings[placeholder] = LongString(body, start, stop)
            kept += [body[copied:start], placeholder.encode()]
            copied = stop
    return b"".join([*kept, body[copied:]]), strings


def _strings(body: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each string between its quotation marks."""
    end = -1
    while (start := body.find(b'"', end + 1) + 1) > 0:
        searched, end = start, body.find(b'"', start)
        while end >= 0 and _backslashes(body, searched, end) % 2:
            searched, end = end + 1, body.find(b'"', end + 1)
        if end < 0:
            return  # not closed, as the parser will find too
        yield start, end


def _backslashes(body: bytes, start: int, end: int) -> int:
    """How many backslashes precede ``end``, at most back to ``start``."""
    count = 0
    while count < end - start:  # a piece at a time: a call into C holds the interpreter's lock
        piece = body[max(start, end - count - PIECE_BYTES) : end - count]
        trailing = len(piece) - len(piece.rstrip(b"\\"))
        count += trailing
        if trailing < len(piece):
            break
    return count


def _restore(
    value: dict[str, Any] | list[Any],
    long_strings: dict[str, LongString],
    path: tuple[int | str, ...],
) -> None:
    """Put the long strings in the place of their placeholders."""
    items: Iterable[tuple[Any, Any]] = (
        list(value.items()) if isinstance(value, dict) else enumerate(value)
    )
    for key, item in items:
        here = (*path, key)
        if isinstance(key, str) and key in long_strings:
            size = len(long_strings[key])
            raise InvalidError([(json_pointer(path), f"a member has a name of {size} bytes")])
        if isinstance(item, dict | list):
            _restore(item, long_strings, here)
        elif isinstance(item, str) and item in long_strings:
            field = next((p for p in reversed(here) if isinstance(p, str)), None)
            if field != LONG_FIELD:
                size = len(long_strings[item])
                raise InvalidError([(json_pointer(here), f"a string of {size} bytes is too long")])
            value[key] = long_strings[item]

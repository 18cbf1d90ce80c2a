"""Latent arithmetic as text: ``men - women + her``, ``me + 1.5*glasses``.

Grammar: ``sum = [sign] term {sign term}``, ``term = [number "*"] name``,
``name = letter {letter | digit | "_"}``.
"""

import re
from dataclasses import dataclass

MAX_LENGTH = 1000  # characters
MAX_WEIGHT = 1_000_000
TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)|(?P<name>[A-Za-z][A-Za-z0-9_]*)|(?P<op>[-+*]))"
)


class ExpressionError(Exception):
    """Text that is not a sum of weighted names; the message names the place."""


@dataclass(frozen=True)
class Term:
    """A weighted name of the sum."""

    weight: float
    name: str


def parse(text: str) -> list[Term]:
    """The terms of an expression, in order.

    Raises:
        ExpressionError: if the text is not such a sum.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"it has {len(text)} characters; at most {MAX_LENGTH} are read")
    tokens = _tokens(text)
    terms: list[Term] = []
    sign = 1.0
    if tokens[0].value in ("+", "-"):
        sign = -1.0 if tokens.pop(0).value == "-" else 1.0
    while True:
        weight = 1.0
        if tokens[0].kind == "number":
            place = tokens[0].place
            weight = float(tokens.pop(0).value)
            if weight > MAX_WEIGHT:
                raise ExpressionError(
                    f"the weight at character {place} is too large; the most is {MAX_WEIGHT}"
                )
            _expect(tokens[0], tokens[0].value == "*", "'*' after the weight")
            tokens.pop(0)
        _expect(tokens[0], tokens[0].kind == "name", "a name")
        terms.append(Term(sign * weight, tokens.pop(0).value))
        if tokens[0].kind == "end":
            return terms
        _expect(tokens[0], tokens[0].value in ("+", "-"), "'+' or '-' between terms")
        sign = -1.0 if tokens.pop(0).value == "-" else 1.0


@dataclass(frozen=True)
class _Token:
    kind: str
    value: str
    place: int


def _tokens(text: str) -> list[_Token]:
    tokens = []
    place = 0
    while text[place:].strip():
        match = TOKEN.match(text, place)
        if match is None:
            place += len(text[place:]) - len(text[place:].lstrip())
            raise ExpressionError(f"unexpected {text[place]!r} at character {place + 1}")
        kind = match.lastgroup or ""
        tokens.append(_Token(kind, match[kind], match.start(kind) + 1))
        place = match.end()
    return [*tokens, _Token("end", "", len(text) + 1)]


def _expect(token: _Token, holds: bool, wanted: str) -> None:
    if not holds:
        found = repr(token.value) if token.value else "the end"
        raise ExpressionError(f"expected {wanted} at character {token.place}, found {found}")

"""Latent arithmetic as text: ``men - women + her``, ``me + 1.5*glasses``, ``her + glasses(worn)``.

Grammar: ``sum = [sign] term {sign term}``, ``term = [number "*"] name ["(" name ")"]``,
``name = letter {letter | digit | "_"}``.
"""

import re
from dataclasses import dataclass, field

MAX_LENGTH = 1000  # characters
MAX_WEIGHT = 1_000_000
TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)|(?P<name>[A-Za-z][A-Za-z0-9_]*)|(?P<op>[-+*()]))"
)


class ExpressionError(Exception):
    """Text that is not a sum of weighted names; the message names the character."""


@dataclass(frozen=True)
class Term:
    """A weighted name of the sum, or a weighted function of a name.

    Attributes:
        weight: with the sign.
        name: of an operand or a direction; of a direction where there is an argument.
        argument: the name in parentheses, if any.
        position: the character of the expression where the name begins, from 1; not compared.
    """

    weight: float
    name: str
    argument: str | None = None
    position: int = field(default=1, compare=False)


def parse(text: str) -> list[Term]:
    """The terms of an expression, in order.

    Raises:
        ExpressionError: if the text is not such a sum.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"it has {len(text)} characters; at most {MAX_LENGTH} are accepted")
    tokens = _tokens(text)
    terms: list[Term] = []
    sign = 1.0
    if tokens[0].value in ("+", "-"):
        sign = -1.0 if tokens.pop(0).value == "-" else 1.0
    while True:
        terms.append(_term(tokens, sign))
        if tokens[0].kind == "end":
            return terms
        _expect(tokens[0], tokens[0].value in ("+", "-"), "'+' or '-' between terms")
        sign = -1.0 if tokens.pop(0).value == "-" else 1.0


@dataclass(frozen=True)
class _Token:
    kind: str
    value: str
    position: int


def _term(tokens: list[_Token], sign: float) -> Term:
    """The term that the tokens begin with; its tokens are taken off the list."""
    weight = _weight(tokens) if tokens[0].kind == "number" else 1.0
    _expect(tokens[0], tokens[0].kind == "name", "a name")
    name = tokens.pop(0)
    if tokens[0].value != "(":
        return Term(sign * weight, name.value, position=name.position)
    tokens.pop(0)
    _expect(tokens[0], tokens[0].kind == "name", f"the name of an operand in '{name.value}(...)'")
    argument = tokens.pop(0).value
    _expect(tokens[0], tokens[0].value == ")", f"')' after '{name.value}({argument}'")
    tokens.pop(0)
    return Term(sign * weight, name.value, argument, name.position)


def _weight(tokens: list[_Token]) -> float:
    position = tokens[0].position
    weight = float(tokens.pop(0).value)
    if weight > MAX_WEIGHT:
        raise ExpressionError(
            f"the weight at character {position} is too large; the maximum is {MAX_WEIGHT}"
        )
    _expect(tokens[0], tokens[0].value == "*", "'*' after the weight")
    tokens.pop(0)
    return weight


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position = 0
    while text[position:].strip():
        match = TOKEN.match(text, position)
        if match is None:
            position += len(text[position:]) - len(text[position:].lstrip())
            raise ExpressionError(f"unexpected {text[position]!r} at character {position + 1}")
        kind = match.lastgroup or ""
        tokens.append(_Token(kind, match[kind], match.start(kind) + 1))
        position = match.end()
    return [*tokens, _Token("end", "", len(text) + 1)]


def _expect(token: _Token, condition: bool, expected: str) -> None:
    if not condition:
        found = repr(token.value) if token.value else "the end"
        raise ExpressionError(f"expected {expected} at character {token.position}, found {found}")

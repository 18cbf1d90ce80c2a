"""Which columns of a manifest are labels, which are tags, and which say nothing."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from training.data.table import REQUIRED, Table

log = logging.getLogger(__name__)

IDENTITY = "identity"  # a column that names a person is no quantity, even if it is a number
UNKNOWN = {"", "nan", "na", "n/a", "#n/a", "<na>", "null"}  # in lower case
UNKNOWN_LABEL = {*UNKNOWN, "none", "?"}  # words of a tag, but not of a label
TRUTH = {"true": 1.0, "yes": 1.0, "t": 1.0, "y": 1.0, "false": 0.0, "no": 0.0, "f": 0.0, "n": 0.0}
MIN_NUMBER_FRACTION = 0.5  # of the fields of a tag from which it may be a label with a wrong field


@dataclass(frozen=True)
class Columns:
    """The columns of a manifest by what they are.

    Attributes:
        labels: the values of each, NaN where unknown.
        tags: the words of each, empty where unknown.
    """

    labels: dict[str, list[float]]
    tags: dict[str, list[str]]


def classify(table: Table, where: str) -> Columns:
    """Tell the labels of a manifest from its tags, and log which is which.

    A label is a column whose every known field is a number, or yes or no. A label of two values is
    0 at the lower and 1 at the higher one. A column of which nothing is known is left out.

    Args:
        table: the manifest.
        where: the file, for messages.
    """
    labels: dict[str, list[float]] = {}
    tags: dict[str, list[str]] = {}
    shown: dict[str, list[str]] = {"labels": [], "tags": [], "unknown": []}
    for name in table.columns:
        if name in REQUIRED:
            continue
        words = [row[name] for row in table.rows]
        if all(word.casefold() in UNKNOWN_LABEL for word in words):
            shown["unknown"].append(name)
            continue
        values = None if name == IDENTITY else _values(words, table.decimal_comma)
        if values is None:
            tags[name] = ["" if word.casefold() in UNKNOWN else word for word in words]
            shown["tags"].append(f"{name} ({_count(len({*tags[name]} - {''}), 'word')})")
            if name != IDENTITY:
                _warn_of_numbers(name, table, where)
        else:
            labels[name], described = _zero_or_one(words, values)
            shown["labels"].append(f"{name} ({described})")
    if table.unnamed:
        shown["unknown"].append(_count(table.unnamed, "column") + " without a name")
    for kind, names in shown.items():
        log.info("columns that are %s: %s", kind, ", ".join(names) or "none")
    return Columns(labels, tags)


def _values(words: Sequence[str], decimal_comma: bool) -> list[float] | None:
    """The fields as numbers, NaN where unknown; None if one of them is neither."""
    distinct = {*words}
    if any(word.casefold() in TRUTH for word in distinct):
        numbers = {word: _truth(word) for word in distinct}
    else:
        numbers = {word: _number(word, decimal_comma) for word in distinct}
    known = {word: number for word, number in numbers.items() if number is not None}
    return [known[word] for word in words] if len(known) == len(numbers) else None


def _truth(word: str) -> float | None:
    """1 for yes, 0 for no, NaN if the word says unknown, or None."""
    if _is_unknown(word):
        return math.nan
    return TRUTH.get(word.casefold(), {"0": 0.0, "1": 1.0}.get(word))


def _number(word: str, decimal_comma: bool) -> float | None:
    """A finite number, NaN if the word says unknown, or None."""
    if _is_unknown(word):
        return math.nan
    try:
        value = float(word.replace(",", ".") if decimal_comma else word)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in word else None


def _is_unknown(word: str) -> bool:
    return word.casefold() in UNKNOWN_LABEL


def _zero_or_one(words: Sequence[str], values: list[float]) -> tuple[list[float], str]:
    """A label, of 0 and 1 if it has two values, and a description of it."""
    known = {value: word for value, word in zip(values, words, strict=True) if value == value}
    low, high = min(known), max(known)
    unknown = sum(value != value for value in values)
    rest = f", {unknown} unknown" if unknown else ""
    if len(known) != 2:
        return values, f"{low:g} to {high:g}{rest}"
    is_plain = (low, high) == (0, 1) and known[high].casefold() not in TRUTH
    named = "" if is_plain else f" for {known[low]} and {known[high]}"
    binary = [value if value != value else float(value == high) for value in values]
    return binary, f"0 and 1{named}{rest}"


def _warn_of_numbers(name: str, table: Table, where: str) -> None:
    """Name the field that makes a tag of what is almost a label."""
    numbers = [_number(row[name], table.decimal_comma) for row in table.rows]
    known = sum(number is not None and math.isfinite(number) for number in numbers)
    if known > MIN_NUMBER_FRACTION * len(numbers):
        i = numbers.index(None)
        log.warning(
            "%s: column %r is read as words, because of %r in line %d; %d of %d fields are "
            "numbers. Leave a field empty where the label is unknown",
            where,
            name,
            table.rows[i][name],
            table.lines[i],
            known,
            len(numbers),
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

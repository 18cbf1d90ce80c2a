"""The table of a manifest as programs write it: encodings, delimiters, header, rows."""

import codecs
import csv
import io
import logging
from dataclasses import dataclass

from training.data.dataset import DataError

log = logging.getLogger(__name__)

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
REQUIRED = ("file", "split")
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Table:
    """The rows of a manifest.

    Attributes:
        columns: names of the columns beside those that have no name.
        unnamed: number of columns without a name.
        rows: one dictionary a row, from column to field, without spaces around it.
        lines: the line in the file at which each row ends.
        decimal_comma: whether 0,5 may be a number.
    """

    columns: list[str]
    unnamed: int
    rows: list[dict[str, str]]
    lines: list[int]
    decimal_comma: bool


def parse(data: bytes, where: str) -> Table:
    """Read a table with the columns ``file`` and ``split``.

    Args:
        data: UTF-8, with or without a byte order mark, UTF-16 with one, or Windows-1252; fields
            separated by commas, semicolons, tabs or vertical bars.
        where: the file, for messages.

    Raises:
        DataError: if it is no such table; it gives the columns that were found.
    """
    text = _decoded(data, where)
    try:
        delimiter, header = _header(text, where)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        next(reader)
        rows, lines = [], []
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            if len(fields) != len(header):
                raise DataError(
                    f"{where} line {reader.line_num} does not have the header's columns: it has "
                    f"{len(fields)} fields, the header {len(header)}"
                )
            named = zip(header, fields, strict=True)
            rows.append({name: field.strip() for name, field in named if name})
            lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{where} is not a table of text: {error}") from None
    if not rows:
        raise DataError(f"{where} needs rows below its header")
    columns = [name for name in header if name]
    return Table(columns, len(header) - len(columns), rows, lines, delimiter != ",")


def _decoded(data: bytes, where: str) -> str:
    encodings = ["utf-16"] if data.startswith(UTF16_MARKS) else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "cp1252":
            log.warning("%s is not UTF-8; it is read as Windows-1252", where)
        return text
    raise DataError(f"{where} is in an encoding that is not known; save it as UTF-8")


def _header(text: str, where: str) -> tuple[str, list[str]]:
    """The delimiter and the names of the columns; empty for a column without a name."""
    headers = {}
    for delimiter in DELIMITERS:
        fields = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        headers[delimiter] = [_column(field) for field in fields]
    delimiter = max(headers, key=lambda d: (set(REQUIRED) <= {*headers[d]}, len(headers[d])))
    header = headers[delimiter]
    if not set(REQUIRED) <= {*header}:
        found = ", ".join(map(repr, header)) or "none, the file is empty"
        raise DataError(
            f"{where} needs the columns file and split; found, separated by "
            f"{DELIMITERS[delimiter]}: {found}"
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise DataError(f"{where} has the column {twice[0]!r} twice")
    return delimiter, header


def _column(field: str) -> str:
    """The name of a column; pandas calls a column without a name ``Unnamed: 0``."""
    name = field.strip()
    if name.startswith("Unnamed: "):
        return ""
    return name.casefold() if name.casefold() in REQUIRED else name

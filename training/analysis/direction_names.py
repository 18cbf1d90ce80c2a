"""Names of directions, as expressions can say them."""

import re
import unicodedata
from collections.abc import Sequence

MAX_LENGTH = 64  # characters
NAME = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{MAX_LENGTH - 1}}}")
PREFIX = "label"  # of a name that does not begin with a letter


def expression_names(columns: Sequence[str]) -> list[str]:
    """A name for each column that expressions can say: a letter, then letters, digits or ``_``.

    A column that has such a name keeps it. Of the others, accents are removed, and characters that
    are not allowed become ``_``: ``Eye Glasses`` is ``Eye_Glasses``, ``5_o_Clock_Shadow`` is
    ``label_5_o_Clock_Shadow``. A name that another column has gets a number: ``Eye_Glasses_2``.

    Args:
        columns: names of labels and words of tags.
    """
    kept = {column for column in columns if NAME.fullmatch(column)}
    used: set[str] = set()
    names = []
    for column in columns:
        is_kept = column in kept and column not in used
        name = column if is_kept else _unused(_converted(column), kept | used)
        names.append(name)
        used.add(name)
    return names


def _converted(column: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode()
    name = re.sub("[^A-Za-z0-9]+", "_", ascii_only).strip("_")
    if not name[:1].isalpha():
        name = f"{PREFIX}_{name}".rstrip("_")
    return name[:MAX_LENGTH]


def _unused(name: str, used: set[str]) -> str:
    candidate, number = name, 2
    while candidate in used:
        suffix = f"_{number}"
        candidate, number = name[: MAX_LENGTH - len(suffix)] + suffix, number + 1
    return candidate

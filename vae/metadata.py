"""The types and ranges of the fields in a checkpoint's JSON metadata."""

import math
from typing import Any

LANDMARKS = 5  # of a face


def check(metadata: dict[str, Any]) -> None:
    """Check every field that is there. Missing fields are not reported.

    Raises:
        ValueError: if a field has the wrong type or range; the message names the first one.
    """
    sigma = metadata.get("sigma")
    if sigma is not None and not (_is_number(sigma) and sigma > 0):
        raise ValueError(f"sigma is {_short(sigma)}; it must be a positive number or null")
    labels = metadata.get("labels", [])
    if not (isinstance(labels, list) and all(isinstance(label, str) for label in labels)):
        raise ValueError(f"labels is {_short(labels)}; it must be a list of names")
    for name in ("metrics", "provenance", "directions"):
        if not isinstance(metadata.get(name, {}), dict):
            raise ValueError(f"{name} is {_short(metadata[name])}; it must be an object")
    template = metadata.get("alignment_template")
    if template is not None and not _are_landmarks(template):
        raise ValueError(
            f"alignment_template is {_short(template)}; it must be {LANDMARKS} different points, "
            "each of two numbers"
        )
    for name, fields in metadata.get("directions", {}).items():
        _check_direction(name, fields)


def _check_direction(name: str, fields: object) -> None:
    if not isinstance(fields, dict):
        raise ValueError(f"direction {name!r} is {_short(fields)}; it must be an object")
    for field in ("meaning", "method"):
        if not isinstance(fields.get(field, ""), str):
            raise ValueError(f"{field} of direction {name!r} must be text")
    count = fields.get("count", 0)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ValueError(
            f"count of direction {name!r} is {_short(count)}; it must be a whole number from 0 on"
        )


def _are_landmarks(points: object) -> bool:
    """Whether it is ``LANDMARKS`` different points of two numbers each."""
    return (
        isinstance(points, list | tuple)
        and all(isinstance(p, list | tuple) and len(p) == 2 for p in points)
        and all(_is_number(value) for point in points for value in point)
        and len({tuple(point) for point in points}) == len(points) == LANDMARKS
    )


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

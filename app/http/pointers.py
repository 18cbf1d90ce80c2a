"""JSON pointers as URI fragments (RFC 6901, section 6)."""

from collections.abc import Sequence

MAX_POINTER_SEGMENT = 100  # characters of a name that a response repeats


def json_pointer(path: Sequence[int | str]) -> str:
    """The pointer to a field, such as ``#/operands/her/0/latent``."""
    segments = (
        str(segment)[:MAX_POINTER_SEGMENT].replace("~", "~0").replace("/", "~1") for segment in path
    )
    return "#" + "".join(f"/{segment}" for segment in segments)

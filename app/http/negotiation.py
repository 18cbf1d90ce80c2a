"""The media type of a response, by the caller's ``Accept`` header or ``?format=``."""

from collections.abc import Sequence

PNG = "image/png"
JPEG = "image/jpeg"
WEBP = "image/webp"
GIF = "image/gif"
APNG = "image/apng"
ZIP = "application/zip"
JSON = "application/json"
NPY = "application/x-npy"
# By the values of ?format=.
FORMATS = {
    "png": PNG,
    "jpeg": JPEG,
    "webp": WEBP,
    "gif": GIF,
    "apng": APNG,
    "zip": ZIP,
    "json": JSON,
    "npy": NPY,
}


class NotAcceptableError(Exception):
    """The endpoint has none of the media types that the caller accepts."""


def negotiate(accept: str, format_name: str | None, offered: Sequence[str]) -> str:
    """The media type of a response; the first of ``offered`` where the caller has no preference.

    Args:
        accept: the ``Accept`` header (RFC 9110, section 12.5.1), empty if there is none.
        format_name: value of ``?format=``, which overrides the header; None if there is none.
        offered: media types of the endpoint, the preferred first.

    Raises:
        NotAcceptableError: if none is accepted.
    """
    if format_name is not None:
        if FORMATS.get(format_name) in offered:
            return FORMATS[format_name]
        names = [name for name, media_type in FORMATS.items() if media_type in offered]
        raise NotAcceptableError(f"format is {format_name!r}; choose from {', '.join(names)}")
    if accept in ("", "*/*"):
        return offered[0]
    ranges = [_media_range(part) for part in accept.split(",") if part.strip()]

    def quality(media_type: str) -> float:
        patterns = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
        for pattern in patterns:  # the most specific range decides
            matches = [q for name, q in ranges if name == pattern]
            if matches:
                return max(matches)
        return 0.0

    best = max(offered, key=quality)
    if ranges and quality(best) <= 0.0:
        raise NotAcceptableError(f"Accept is {accept!r}; this endpoint offers {', '.join(offered)}")
    return best


def _media_range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    weights = [p.removeprefix("q=") for p in parameters if p.startswith("q=")]
    try:
        quality = float(weights[0]) if weights else 1.0
    except ValueError:
        quality = 0.0
    return name, quality if 0.0 <= quality <= 1.0 else 0.0

"""Security headers, on every response."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Of responses that cannot be kept: they may show a face.
NO_STORE = {b"cache-control": b"no-store"}


def raw_security_headers(cross_origin: bool) -> list[tuple[bytes, bytes]]:
    """The headers, as ASGI has them.

    Args:
        cross_origin: whether pages of other origins may show an image by its address. CORS alone
            does not allow that, since a browser loads ``<img src>`` without it.
    """
    policy = "cross-origin" if cross_origin else "same-origin"
    headers = {**SECURITY_HEADERS, "Cross-Origin-Resource-Policy": policy}
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]

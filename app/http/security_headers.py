"""Security headers, on every response."""

POLICY = "default-src 'none'; frame-ancestors 'none'"
# Of the playground: scripts, styles and requests of this origin only, none of them inline. Images
# are made in the page too.
PLAYGROUND_POLICY = (
    f"{POLICY}; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Of responses that cannot be kept: they may show a face.
NO_STORE = {b"cache-control": b"no-store"}


def raw_security_headers(
    cross_origin: bool, content_security_policy: str = POLICY
) -> list[tuple[bytes, bytes]]:
    """The headers, as ASGI has them.

    Args:
        cross_origin: whether pages of other origins may show an image by its address. CORS alone
            does not allow that, since a browser loads ``<img src>`` without it.
        content_security_policy: what a page in the response may load.
    """
    headers = {
        **SECURITY_HEADERS,
        "Content-Security-Policy": content_security_policy,
        "Cross-Origin-Resource-Policy": "cross-origin" if cross_origin else "same-origin",
    }
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]

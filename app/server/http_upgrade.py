"""Requests that ask for another protocol, such as ``Upgrade: h2c``, served as if they did not.

A server may ignore the request to upgrade (RFC 9110, section 7.8). curl and Java's client send it
with the first request of a connection.
"""

from collections.abc import Sequence

import httptools


def asks_for_upgrade(parser: httptools.HttpRequestParser) -> bool:
    """Whether the headers that were parsed last ask for another protocol."""
    return bool(parser.should_upgrade()) and parser.get_method() != b"CONNECT"


def head_without_upgrade(
    parser: httptools.HttpRequestParser, url: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> bytes:
    """Request line and headers of a request, without what asks for another protocol.

    The parser skips the body after an upgrade; a new parser reads these and then the body.

    Args:
        parser: that has parsed the headers.
        url: as it was sent.
        headers: names in lower case and values.
    """
    version = parser.get_http_version().encode()
    lines = [b"%s %s HTTP/%s" % (parser.get_method(), url, version)]
    for name, value in headers:
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            value = b", ".join(o for o in options if o.lower() != b"upgrade")
        if name != b"upgrade":
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])

"""JSON responses as gzip, for clients that accept it; all others are sent as they are."""

import asyncio
import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.asgi import only

MIN_BYTES = 1024
THREAD_BYTES = 8192  # from here on, compression takes longer than a change of threads
HEAD_BYTES = 4096  # of a body, which show whether it repeats itself
REPEATS_BELOW = 0.6  # of its size, compressed
LEVEL = 5
GZIP = 31  # zlib's ``wbits``: the largest window, with gzip's header


class JsonCompressionMiddleware:
    """Compresses JSON of at least ``MIN_BYTES``, problems included, where gzip is accepted.

    Streamed bodies, and those that are encoded already, are not compressed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    @only("http")
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        start: Message | None = None

        async def send_compressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_json(message):
                MutableHeaders(raw=message["headers"]).add_vary_header("Accept-Encoding")
                if accepts_gzip(scope):
                    start = message  # until its body is there
                    return
            elif start is not None:
                first, start = start, None
                body = message.get("body", b"")
                if not message.get("more_body", False) and len(body) >= MIN_BYTES:
                    message = {**message, "body": await _compressed(body)}
                    headers = MutableHeaders(raw=first["headers"])
                    headers["Content-Encoding"] = "gzip"
                    headers["Content-Length"] = str(len(message["body"]))
                await send(first)
            await send(message)

        await self.app(scope, receive, send_compressed)


def accepts_gzip(scope: Scope) -> bool:
    """Whether ``Accept-Encoding`` (RFC 9110, section 12.5.3) names gzip, or ``*``, above 0."""
    weights = {}
    for item in ",".join(Headers(scope=scope).getlist("accept-encoding")).split(","):
        coding, *parameters = (part.strip().lower() for part in item.split(";"))
        weights[coding] = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return float(weights.get("gzip", weights.get("*", "0"))) > 0
    except ValueError:
        return False


def _is_json(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    media_type = headers.get("content-type", "").partition(";")[0]
    json = media_type == "application/json" or media_type.endswith("+json")
    return json and "content-encoding" not in headers


async def _compressed(body: bytes) -> bytes:
    if len(body) < THREAD_BYTES:
        return _gzip(body)
    return await asyncio.to_thread(_gzip, body)


def _gzip(body: bytes) -> bytes:
    """``body`` as gzip; without a search for repeats, ten times as fast, where there are none.

    Base64 has none. That its bytes are of 64 kinds, Huffman codes alone make use of.
    """
    head = body[:HEAD_BYTES]
    repeats = len(zlib.compress(head, 1)) < REPEATS_BELOW * len(head)
    strategy = zlib.Z_DEFAULT_STRATEGY if repeats else zlib.Z_HUFFMAN_ONLY
    compressor = zlib.compressobj(LEVEL, wbits=GZIP, strategy=strategy)
    return compressor.compress(body) + compressor.flush()

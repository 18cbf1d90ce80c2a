"""HTTP connections that keep their limits: of a request's head, and of a client that takes nothing.

uvicorn's own protocol waits for a head for ever, holds however much of one has come, and keeps an
answer for whoever does not read it.
"""

import array
import asyncio
import fcntl
import termios
from contextlib import suppress
from http import HTTPStatus
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.http.schemas import Problem
from app.settings import Settings

MAX_PIPELINED = 1000  # requests of a connection that wait for the one before them
BROKEN = (400, "broken-request", "this is not HTTP/1.1, or its framing is broken")


def limited(settings: Settings) -> type[HttpToolsProtocol]:
    """The protocol for ``uvicorn.Config(http=...)``."""

    class Limited(LimitedProtocol):
        header_timeout_seconds = settings.header_timeout_seconds
        max_header_bytes = settings.max_header_bytes

    return Limited


class LimitedProtocol(HttpToolsProtocol):
    """Ends a connection whose request line, headers or trailers are too long or too slow.

    A body that goes on after its answer is given the time of a head; so is a client to take some of
    an answer that has filled its buffers.

    Attributes:
        header_timeout_seconds: most seconds from the connection, or the first byte after an answer, to the
            end of the next head, and from one byte of an answer that is taken to the next.
        max_header_bytes: most bytes that bring no piece of a body.
    """

    header_timeout_seconds: ClassVar[float]
    max_header_bytes: ClassVar[int]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pending = 0  # bytes of a head, or of what frames a body, that came to nothing yet
        self._refusal = BROKEN
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer, and let the request in hand know; uvicorn tells the last to come."""
        self._rest()
        self._watch_no_more()
        self.pipeline.clear()
        super().connection_lost(exc)
        if self._running is not None:
            self._running.disconnected = not self._running.response_complete
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Read what has come, within the limits."""
        if self.transport.is_closing():
            return
        if self._timer is None and (self.cycle is None or self.cycle.response_complete):
            self._wait()
        self._pending += len(data)
        super().data_received(data)
        if self._pending > self.max_header_bytes and not self.transport.is_closing():
            self._refuse_long_head()
            self.send_400_response("")

    def on_headers_complete(self) -> None:
        """Answer a request whose head is whole."""
        if len(self.url) + sum(len(n) + len(v) for n, v in self.headers) > self.max_header_bytes:
            self._refuse_long_head()
            raise httptools.HttpParserError(self._refusal[2])
        if len(self.pipeline) >= MAX_PIPELINED:
            self._refusal = (400, "pipeline", f"more than {MAX_PIPELINED} requests at once")
            raise httptools.HttpParserError(self._refusal[2])
        self._pending = 0
        self._rest()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._pending = 0
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Give a client that does not read its answer time to go on."""
        super().pause_writing()
        self._watch_unread()

    def resume_writing(self) -> None:
        """Send the rest of the answer to a client that reads on."""
        self._watch_no_more()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Go on to the next request, or give the client time to take the last answer."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_unread()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection without requests, once its client has taken what it was sent."""
        super().timeout_keep_alive_handler()
        self._watch_unread()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _watch_unread(self) -> None:
        self._watch_no_more()
        if self.transport.get_write_buffer_size():  # there is none once the connection is lost
            left = self._unsent_bytes()
            self._unread = self.loop.call_later(
                self.header_timeout_seconds, self._still_unread, left
            )

    def _watch_no_more(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _unsent_bytes(self) -> int:
        """Bytes of answers that wait here or in the kernel for the client to take them."""
        waiting = array.array("i", [0])
        with suppress(OSError, ValueError):  # of a socket that is closed, or cannot say
            fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, waiting)
        return self.transport.get_write_buffer_size() + waiting[0]

    def _still_unread(self, before: int) -> None:
        self._unread = None
        left = self._unsent_bytes()
        if left and left >= before:
            self.transport.abort()
        else:
            self._watch_unread()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- ours says more
        """Say as a problem why the connection ends, and end it."""
        status, name, detail = self._refusal
        if self.transport.is_closing():
            return
        phrase = HTTPStatus(status).phrase
        problem = Problem(
            type=f"urn:lorgnette:{name}", title=phrase, status=status, detail=detail, instance=""
        )
        body = problem.model_dump_json(exclude_none=True).encode()
        head = (
            f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _refuse_long_head(self) -> None:
        detail = f"request line and headers are longer than {self.max_header_bytes} bytes"
        self._refusal = (431, "head-too-large", detail)

    def _wait(self) -> None:
        self._rest()
        self._timer = self.loop.call_later(self.header_timeout_seconds, self._late)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        """Say so where a head has begun; a connection that was silent is closed in silence."""
        self._timer = None
        if self._pending and (self.cycle is None or self.cycle.response_complete):
            detail = f"no whole head within {self.header_timeout_seconds:g} seconds"
            self._refusal = (408, "slow-head", detail)
            self.send_400_response("")
        self.transport.close()

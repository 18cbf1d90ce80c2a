"""The HTTP/1.1 protocol of a connection, with limits on headers and on clients that do not read.

uvicorn's own protocol waits for headers without limit, buffers them without limit, and keeps a
response for a client that never reads it.
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

from app.http.response_schemas import Problem
from app.server.half_closed import HalfClosedWatch
from app.server.http_upgrade import asks_for_upgrade, head_without_upgrade
from app.settings import Settings

MAX_PIPELINED = 1000  # requests of a connection that wait for the one before them
BAD_REQUEST = (400, "broken-request", "this is not HTTP/1.1, or its framing is invalid")


def protocol_class(settings: Settings) -> type[HttpToolsProtocol]:
    """The protocol for ``uvicorn.Config(http=...)``."""

    class ConfiguredProtocol(LimitedProtocol):
        header_timeout_seconds = settings.header_timeout_seconds
        max_header_bytes = settings.max_header_bytes

    return ConfiguredProtocol


class LimitedProtocol(HttpToolsProtocol):
    """Ends a connection whose request line, headers or trailers are too long or too slow.

    The header timeout also holds for a body that is still arriving after its response, and for a
    client that reads nothing of a response which has filled the buffers.

    Attributes:
        header_timeout_seconds: maximum time from the connection, or from the first byte after a
            response, to the end of the next headers; and maximum time in which a client reads
            nothing of a response.
        max_header_bytes: maximum bytes received without any byte of a body.
    """

    header_timeout_seconds: ClassVar[float]
    max_header_bytes: ClassVar[int]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._header_bytes = 0  # of headers, trailers or chunk framing, since the last body byte
        self._refusal = BAD_REQUEST
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        self._half_closed: HalfClosedWatch | None = None
        self._is_upgrade = False  # the headers that were parsed last ask for another protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the header timer."""
        super().connection_made(transport)
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers and tell the running request; uvicorn tells only the last to arrive."""
        self._stop_header_timer()
        self._stop_write_timer()
        if self._half_closed is not None:
            self._half_closed.stop()
        self.pipeline.clear()
        super().connection_lost(exc)
        if self._running is not None:
            self._running.disconnected = not self._running.response_complete
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Parse what was received, within the limits."""
        if self.transport.is_closing():
            return
        if self._header_timer is None and self._is_idle():
            self._start_header_timer()
        self._header_bytes += len(data)
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._header_bytes > self.max_header_bytes and not self.transport.is_closing():
            self._refuse_long_headers()
            self.send_400_response("")

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer complete requests of a client that has ended its sending, then close."""
        if self._is_idle() or self.cycle.more_body:
            return False
        self.cycle.keep_alive = False
        self._half_closed = HalfClosedWatch(self.transport, self._may_send_interim_response)
        return True

    def _may_send_interim_response(self) -> bool:
        running = self._running
        if running is None or running.response_started:
            return False
        return running.scope["http_version"] == "1.1"

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._is_upgrade:
                self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("")

    def _ignore_upgrade(self, rest: bytes) -> None:
        head = head_without_upgrade(self.parser, self.url, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._is_upgrade = False
        self._parse(head)
        if not self.transport.is_closing():
            self._parse(rest)

    def on_headers_complete(self) -> None:
        """Start the request whose headers are complete."""
        self._is_upgrade = asks_for_upgrade(self.parser)
        if len(self.url) + sum(len(n) + len(v) for n, v in self.headers) > self.max_header_bytes:
            self._refuse_long_headers()
            raise httptools.HttpParserError(self._refusal[2])
        if len(self.pipeline) >= MAX_PIPELINED:
            self._refusal = (400, "pipeline", f"more than {MAX_PIPELINED} pipelined requests")
            raise httptools.HttpParserError(self._refusal[2])
        if self._is_upgrade:
            return
        self._header_bytes = 0
        self._stop_header_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Receive a part of a body."""
        self._header_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Receive the end of a request."""
        if self._is_upgrade:
            return
        self._header_bytes = 0
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Time a client that does not read its response."""
        super().pause_writing()
        self._start_write_timer()

    def resume_writing(self) -> None:
        """Send the rest of the response to a client that reads again."""
        self._stop_write_timer()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Go on to the next request, or time the client that reads the last response."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._start_write_timer()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, once its client has read what was sent."""
        super().timeout_keep_alive_handler()
        self._start_write_timer()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- ours says more
        """Send the problem that ends the connection, and close it."""
        status, name, detail = self._refusal
        if self.transport.is_closing():
            return
        phrase = HTTPStatus(status).phrase
        problem = Problem(
            type=f"urn:lorgnette:{name}", title=phrase, status=status, detail=detail, instance=""
        )
        body = problem.model_dump_json(exclude_none=True).encode()
        headers = (
            f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(headers.encode() + body)
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_idle(self) -> bool:
        """Whether no request is running."""
        return self.cycle is None or self.cycle.response_complete

    def _refuse_long_headers(self) -> None:
        detail = f"request line and headers are longer than {self.max_header_bytes} bytes"
        self._refusal = (431, "head-too-large", detail)

    def _start_header_timer(self) -> None:
        self._stop_header_timer()
        self._header_timer = self.loop.call_later(
            self.header_timeout_seconds, self._on_header_timeout
        )

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _on_header_timeout(self) -> None:
        """Close the connection; with 408 if a part of the headers has arrived."""
        self._header_timer = None
        if self._header_bytes and self._is_idle():
            detail = f"headers not complete within {self.header_timeout_seconds:g} seconds"
            self._refusal = (408, "slow-head", detail)
            self.send_400_response("")
        self.transport.close()

    def _start_write_timer(self) -> None:
        self._stop_write_timer()
        if self.transport.get_write_buffer_size():  # there is none once the connection is lost
            self._write_timer = self.loop.call_later(
                self.header_timeout_seconds, self._on_write_timeout, self._unsent_bytes()
            )

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _on_write_timeout(self, unsent_before: int) -> None:
        """Abort the connection if the client has read nothing since the timer was started."""
        self._write_timer = None
        unsent = self._unsent_bytes()
        if unsent and unsent >= unsent_before:
            self.transport.abort()
        else:
            self._start_write_timer()

    def _unsent_bytes(self) -> int:
        """Bytes of responses in our buffer and the kernel's that the client has not received."""
        in_kernel = array.array("i", [0])
        with suppress(OSError, ValueError):  # the socket is closed, or of another kind
            fcntl.ioctl(
                self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, in_kernel
            )
        return self.transport.get_write_buffer_size() + in_kernel[0]

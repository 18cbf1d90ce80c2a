"""Clients that have ended their sending: whether they still receive."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

PROBE_SECONDS = 1.0
PROBE = b"HTTP/1.1 102 Processing\r\n\r\n"
TCP_CLOSE = 7  # a state of the kernel, the first byte of TCP_INFO: the connection was reset


class HalfClosedWatch:
    """Aborts a connection whose client has ended its sending and is gone.

    Such a client looks like one that only has nothing more to send and waits for its response. What
    tells is a byte sent to it, which a system without the client answers by a reset. So an interim
    response is sent, where the response takes longer than ``PROBE_SECONDS``: docs/decisions/0043.

    Args:
        transport: of the connection.
        may_probe: whether an interim response may be sent now.
    """

    def __init__(self, transport: asyncio.Transport, may_probe: Callable[[], bool]) -> None:
        self._transport, self._may_probe = transport, may_probe
        self._probed = False
        self._timer: asyncio.TimerHandle | None = None
        self._start()

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PROBE_SECONDS, self._tick)

    def _tick(self) -> None:
        if self._is_reset():
            self._transport.abort()
            return
        if not self._probed and self._may_probe():
            self._probed = True
            self._transport.write(PROBE)
        self._start()

    def _is_reset(self) -> bool:
        with suppress(OSError, ValueError):  # the socket is closed, or of another kind
            sock = self._transport.get_extra_info("socket")
            return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE)
        return False

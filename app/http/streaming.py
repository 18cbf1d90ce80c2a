"""Responses that are sent while their body is made."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from fastapi import Response
from starlette.types import Receive, Scope, Send

from app.http.context import request_context
from app.http.guarded_route import ClientDisconnectedError, DeadlineError, run_until_deadline
from app.http.problems import TABLE
from app.inference.errors import ShuttingDownError
from app.observability.logs import request_fields

log = logging.getLogger("lorgnette")


class StreamedResponse(Response):
    """A response whose body is made while it is sent.

    It has no Content-Length. If the rest of the body cannot be made, the connection is closed
    without the last chunk (RFC 9112, section 8), so that no client takes what it has for the whole
    response; the log says why.

    Args:
        first: part of the body, which exists already.
        rest: further parts; closed in the end.
        seconds: time to make ``rest``; that in which the client reads does not count.
        headers: of the response.
        media_type: of the response.
    """

    def __init__(
        self,
        first: bytes,
        rest: AsyncGenerator[bytes, None],
        seconds: float,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        self._first, self._rest, self._seconds = first, rest, seconds
        self.status_code, self.media_type, self.background = 200, media_type, None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response while its client is there."""

        async def wait_for_disconnect() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        try:
            async with aclosing(self._rest):
                await run_until_deadline(self._send(send), None, wait_for_disconnect)
        except ClientDisconnectedError:
            pass
        except asyncio.CancelledError:  # by the server, which waits no longer
            _report(scope, ShuttingDownError("the service is stopping"))
        except Exception as error:
            if type(error) not in TABLE:
                raise
            _report(scope, error)  # the server closes the connection of a response without an end

    async def _send(self, send: Send) -> None:
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        loop = asyncio.get_running_loop()
        part, seconds = self._first, self._seconds
        while part:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            started = loop.time()
            part = await self._next(seconds)
            seconds -= loop.time() - started
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self, seconds: float) -> bytes:
        """The next part; empty after the last."""
        try:
            async with asyncio.timeout(seconds) as deadline:
                return await anext(self._rest, b"")
        except TimeoutError:
            if deadline.expired():
                raise DeadlineError("the response was not complete in time") from None
            raise


def _report(scope: Scope, error: Exception) -> None:
    context = request_context(scope)
    name = TABLE[type(error)].name
    scope["app"].state.metrics.http_errors.labels(name).inc()
    fields = request_fields(context.request_id, context.trace_id)
    log.warning(
        "response to request %s was cut off: %s: %s",
        context.request_id,
        name,
        error,
        extra={"fields": fields},
    )

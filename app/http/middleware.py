"""What happens to every request and response, whatever the route."""

import random
import re
import time
from collections.abc import Awaitable

from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.asgi import only
from app.http.context import SCOPE_KEY, RequestContext, request_context
from app.http.security_headers import NO_STORE, PLAYGROUND_POLICY, raw_security_headers
from app.observability.logs import log_response

CACHEABLE_STATUSES = (200, 304)
REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")


class RequestContextMiddleware:
    """Gives every request its context, and every response its request id, model and headers.

    The request id is the caller's if it is printable, else a new one.

    Args:
        app: that serves the request.
        cross_origin: whether pages of other origins may show the responses.
    """

    def __init__(self, app: ASGIApp, cross_origin: bool) -> None:
        self.app = app
        self._security_headers = raw_security_headers(cross_origin)
        self._page_headers = raw_security_headers(cross_origin, PLAYGROUND_POLICY)
        # Not a secret: it only has to differ.
        self._random = random.Random()  # nosec B311  # noqa: S311

    @only("http")
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
        request_id = b""
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                request_id = value
        if not REQUEST_ID.fullmatch(request_id):
            request_id = b"%032x" % self._random.getrandbits(128)
        context = scope[SCOPE_KEY] = RequestContext(request_id.decode())

        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id)]
                headers += self._page_headers if context.is_page else self._security_headers
                kept = context.cache_headers if context.status in CACHEABLE_STATUSES else None
                headers += (kept or NO_STORE).items()
                if context.model_id is not None:
                    headers.append((b"lorgnette-model", context.model_id.encode()))
                message["headers"] = headers
            return send(message)

        return self.app(scope, receive, send_with_headers)


class MetricsMiddleware:
    """Counts, times and logs every response, by the path of its route."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app, self._state = app, state

    @only("http")
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        started = time.perf_counter()
        try:
            await self.app(scope, receive, send)
        finally:
            seconds = time.perf_counter() - started
            context = request_context(scope)
            route = getattr(scope.get("route"), "path", "other")
            self._state.metrics.count_response(route, context.status, seconds)
            client = scope.get("client")
            log_response(
                scope["method"],
                scope["path"],
                context.status,
                seconds,
                context.request_id,
                trace_id=context.trace_id,
                client=None if client is None else client[0],
                key=context.key_name,
                model=context.model_id,
            )


class TracingMiddleware:
    """Makes every request a trace, or a part of its caller's."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app, self._state = app, state

    @only("http")
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        context = request_context(scope)
        trace = self._state.tracer.begin(
            scope["method"], scope["path"], scope["scheme"], scope["headers"]
        )
        context.trace_id = trace.id
        try:
            await self.app(scope, receive, send)
        finally:
            route = getattr(scope.get("route"), "path", None)
            trace.end(context.status, route, context.timing.spans)


class StartupErrorMiddleware:
    """Reports in one line why the service cannot start, where that is not a bug."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app, self._state = app, state

    @only("lifespan")
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle start and stop of the application."""

        async def send_in_one_line(message: Message) -> None:
            error = getattr(self._state, "startup_error", None)
            if message["type"] == "lifespan.startup.failed" and error is not None:
                message["message"] = error
            await send(message)

        await self.app(scope, receive, send_in_one_line)

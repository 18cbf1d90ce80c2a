"""Authentication, deadline, disconnect and body memory of every request to an endpoint."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from app.http.body import SlowBodyError
from app.http.body_budget import Reservation
from app.http.context import request_context
from app.inference.errors import ShuttingDownError

PUBLIC_PREFIX = "/health/"  # of paths that need no API key
METRICS_PATH = "/metrics"  # which has keys of its own
RELOAD_PATH = "/models/{name}/reload"  # likewise
# Most requests are done by then, and cost no task that waits for the client to disconnect.
WATCH_AFTER_SECONDS = 0.05

T = TypeVar("T")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class DeadlineError(Exception):
    """The response was not ready in time."""


class ClientDisconnectedError(Exception):
    """The client disconnected before its response was ready."""


def operation_id(route: APIRoute) -> str:
    """The name of an endpoint in the OpenAPI document, after which clients name their functions."""
    return route.name


class GuardedRoute(APIRoute):
    """A route that checks the API key and ends its work at the deadline, or with the client."""

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, guarded."""
        handle = super().get_route_handler()
        public = self.path.startswith(PUBLIC_PREFIX)
        scrape, admin = self.path == METRICS_PATH, self.path == RELOAD_PATH

        async def handler(request: Request) -> Response:
            state, context = request.app.state, request_context(request.scope)
            if scrape:
                context.key_name = await state.auth.authenticate_scrape(request)
            elif admin:
                context.key_name = await state.auth.authenticate_admin(request)
            elif not public:
                context.key_name = await state.auth.authenticate_request(request)
            reservation: Reservation = state.body_budget.reserve()
            context.reservation = reservation
            body = _Body(request.receive, reservation)
            if admin or request.method in ("GET", "HEAD", "DELETE"):  # nobody reads their bodies
                body.complete.set()
            seconds = state.service.settings.request_timeout_seconds
            try:
                work = handle(Request(request.scope, body.receive))
                return await run_until_deadline(work, seconds, body.wait_for_disconnect)
            except asyncio.CancelledError:  # by the server, which waits no longer
                raise ShuttingDownError("the service is stopping") from None
            except DeadlineError:
                if request.method in ("POST", "PUT") and not body.complete.is_set():
                    raise SlowBodyError(
                        f"the body was not received within {seconds:g} seconds"
                    ) from None
                raise
            finally:
                reservation.release()

        return handler


class _Body:
    """Reserves memory for a body while it is received, and notices when it is complete."""

    def __init__(self, receive: Receive, reservation: Reservation) -> None:
        self._receive, self._reservation = receive, reservation
        self.complete = asyncio.Event()

    async def receive(self) -> Message:
        """The next ASGI message."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._reservation.acquire(len(message.get("body", b"")))
            if not message.get("more_body", False):
                self.complete.set()
        return message

    async def wait_for_disconnect(self) -> None:
        """Return when the client has disconnected after its complete body."""
        await self.complete.wait()  # until then, whoever reads the body notices a disconnect
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def run_until_deadline(
    work: Awaitable[T],
    seconds: float | None,
    wait_for_disconnect: Callable[[], Coroutine[Any, Any, None]],
) -> T:
    """The result of ``work``, which is cancelled when nobody waits for it any more.

    Args:
        work: runs in the calling task.
        seconds: maximum duration; None is without limit.
        wait_for_disconnect: returns when the client has disconnected.

    Raises:
        DeadlineError: if the time is up.
        ClientDisconnectedError: if the client has disconnected.
    """
    loop = asyncio.get_running_loop()
    watchers: list[asyncio.Task[None]] = []
    disconnected = False

    async def watch() -> None:
        nonlocal disconnected
        await wait_for_disconnect()
        if not deadline.expired():
            disconnected = True
            deadline.reschedule(loop.time())

    timer = loop.call_later(WATCH_AFTER_SECONDS, lambda: watchers.append(loop.create_task(watch())))
    try:
        async with asyncio.timeout(seconds) as deadline:
            return await work
    except TimeoutError:
        if disconnected:
            raise ClientDisconnectedError("the client has disconnected") from None
        if deadline.expired():
            assert seconds is not None
            raise DeadlineError(f"no response within {seconds:g} seconds") from None
        raise
    finally:
        timer.cancel()
        for watcher in watchers:
            watcher.cancel()

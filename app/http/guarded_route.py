"""The door of every endpoint: who comes in, with how much, and for how long."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from app.http import body_budget as lifeline
from app.http import request_parsing as forms
from app.inference.errors import ShuttingDownError
from app.operations.service import Service

PUBLIC_PREFIX = "/health/"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def get_service(request: Request) -> Service:
    """The service that answers this request."""
    service: Service = request.app.state.service
    return service


class GuardedRoute(APIRoute):
    """A route that only those with a key may take, and whose work ends with time and client."""

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, held by a lifeline."""
        handle = super().get_route_handler()

        async def held(request: Request) -> Response:
            body_read = asyncio.Event()
            share = get_service(request).bodies.share()

            async def receive() -> Message:
                message = await request.receive()
                share.take(len(message.get("body", b"")))
                if message["type"] == "http.request" and not message.get("more_body", False):
                    body_read.set()
                return message

            async def departure() -> None:
                await body_read.wait()  # until then the form reader sees a client that hangs up
                while (await request.receive())["type"] != "http.disconnect":
                    pass

            if not request.scope["path"].startswith(PUBLIC_PREFIX):
                get_service(request).auth.authenticate(request.headers.get("authorization"))
            work = handle(Request(request.scope, receive))
            try:
                seconds = get_service(request).settings.request_timeout_seconds
                return await lifeline.held(work, departure(), seconds)
            except asyncio.CancelledError:  # by the server, which gives no more time to finish
                raise ShuttingDownError("the service is stopping") from None
            except lifeline.DeadlineError:
                if request.method == "POST" and not body_read.is_set():
                    raise forms.SlowBodyError(f"no whole body within {seconds:g} seconds") from None
                raise
            finally:
                share.give_back()

        return held

"""The application: settings in, ASGI out. Nothing is loaded on import."""

import random
import re
import signal
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.telemetry import TelemetryConfig
from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http import problems as errors
from app.http.openapi import COMPONENTS
from app.http.routes import router
from app.http.security_headers import RAW
from app.inference.errors import DeviceError
from app.observability.logs import log_response
from app.observability.tracing_config import tracing_enabled
from app.operations.service import Service
from app.settings import Settings
from vae import __version__
from vae.checkpoint import CheckpointError

# FastAPI's own would tell queries and the messages of exceptions; app.tracing tells neither.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}
REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application; models are loaded when it starts up."""

    def shutdown_on_fatal() -> None:
        """Stop as if told to, and let ``app.__main__`` say that it is a failure."""
        app.state.fatal = True
        signal.raise_signal(signal.SIGTERM)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            app.state.service = Service(settings, shutdown_on_fatal)
            await app.state.service.start()
        except (CheckpointError, DeviceError) as error:
            app.state.failure = str(error)
            raise
        if traced:
            from app.observability.tracing import (
                Tracer,  # seconds and megabytes that most need not pay
            )

            app.state.tracer = Tracer(__version__)
        yield
        await app.state.service.stop()
        if traced:
            app.state.tracer.close()

    traced = tracing_enabled()
    app = FastAPI(
        title="Lorgnette",
        version=__version__,
        summary="The latent space of a variational autoencoder over HTTP",
        lifespan=lifespan,
        openapi_url=None,  # the router has it, behind the same door as the rest
        docs_url=None,  # FastAPI's page fetches its scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # to wherever the Host header says
        telemetry=NO_TELEMETRY,
    )
    app.include_router(router)
    errors.install(app)
    app.add_middleware(MetricsMiddleware, state=app.state)
    if traced:
        app.add_middleware(TracingMiddleware, state=app.state)
    app.add_middleware(RequestIdMiddleware)
    app.add_middleware(StartupErrorMiddleware, state=app.state)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


class RequestIdMiddleware:
    """Gives every request an id, the caller's if it is printable, and every answer the same.

    With it goes what tells a browser to keep its hands off.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._numbers = random.Random()  # nosec B311  # noqa: S311 -- told apart, not kept secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI event stream."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = (
            sent if REQUEST_ID.fullmatch(sent) else b"%032x" % self._numbers.getrandbits(128)
        )
        scope["request_id"] = request_id.decode()

        async def send_with_id(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id), *RAW]
            await send(message)

        await self._app(scope, receive, send_with_id)


class MetricsMiddleware:
    """Counts, times and logs every answer, by the path of its route."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI event stream."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        scope["status"] = 500  # until there is another

        async def send_and_note(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                scope["status"] = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            seconds = time.perf_counter() - started
            status, route = scope["status"], getattr(scope.get("route"), "path", "other")
            self._state.service.metrics.count_response(route, status, seconds)
            ids = scope["request_id"], scope.get("trace_id")
            log_response(scope["method"], scope["path"], status, seconds, *ids)


class TracingMiddleware:
    """Makes every request a trace, or a part of its caller's; stands around ``MetricsMiddleware``."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI event stream."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        about = (scope[key] for key in ("method", "path", "scheme", "headers"))
        trace = self._state.tracer.begin(*about)
        scope["trace_id"] = trace.id
        try:
            await self._app(scope, receive, send)
        finally:
            steps = scope["timing"].spans if "timing" in scope else []
            trace.end(scope["status"], getattr(scope.get("route"), "path", None), steps)


class StartupErrorMiddleware:
    """Says in one line why the service cannot start, where that is no error of ours."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI event stream."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_plainly(message: MutableMapping[str, Any]) -> None:
            failure = getattr(self._state, "failure", None)
            if message["type"] == "lifespan.startup.failed" and failure is not None:
                message["message"] = failure
            await send(message)

        await self._app(scope, receive, send_plainly)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document with the schemas that the request bodies refer to."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in COMPONENTS:
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {})
            schemas[model.__name__] = schema
        for methods in document["paths"].values():  # FastAPI's own 422, which no GET here gives
            methods.get("get", {}).get("responses", {}).pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema

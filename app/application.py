"""The application: settings in, ASGI out. Nothing is loaded on import."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.errors import ServerErrorMiddleware

from app.http import (
    admin_routes,
    caching,
    direction_routes,
    face_routes,
    info_routes,
    inpaint_routes,
    openapi,
    path_routes,
    playground_routes,
    problems,
    routes,
    sample_routes,
    score_routes,
)
from app.http.auth import ApiKeyAuth
from app.http.body_budget import BodyBudget
from app.http.compression import JsonCompressionMiddleware
from app.http.cross_origin import CrossOriginMiddleware
from app.http.methods import options_routes
from app.http.middleware import (
    MetricsMiddleware,
    RequestContextMiddleware,
    StartupErrorMiddleware,
    TracingMiddleware,
)
from app.http.rate_limit import rate_storage
from app.inference.errors import DeviceError
from app.observability.metrics import Metrics
from app.observability.tracing_config import tracing_enabled
from app.operations.service import Service
from app.settings import Settings
from vae import __version__
from vae.checkpoint import CheckpointError

# FastAPI's own telemetry would record queries and messages of exceptions; app.observability.tracing
# records neither.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application; models are loaded when it starts.

    ``app.state`` has what runs: ``service``, ``metrics``, ``auth``, ``body_budget`` and, if traced,
    ``tracer``. While ``draining`` is true the service is not ready, because it is about to stop.
    It has ``startup_error`` where the service could not start, and ``fatal`` where it stopped
    because its models could not serve any more.
    """
    traced = tracing_enabled()
    endpoints = [
        *routes.router.routes,
        *sample_routes.router.routes,
        *path_routes.router.routes,
        *face_routes.router.routes,
        *score_routes.router.routes,
        *inpaint_routes.router.routes,
        *direction_routes.router.routes,
        *info_routes.router.routes,
        *admin_routes.router.routes,
        *playground_routes.routes(),
    ]
    app = FastAPI(
        title="Lorgnette",
        version=__version__,
        summary="The latent space of a variational autoencoder over HTTP",
        # As they are: include_router would match each path twice.
        routes=[*endpoints, *options_routes(endpoints)],
        lifespan=_lifespan(settings, traced),
        openapi_url=None,  # app.http.info_routes has it, with authentication
        docs_url=None,  # FastAPI's page loads scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,  # a redirect would go to wherever the Host header says
        telemetry=NO_TELEMETRY,
    )
    problems.install(app)
    app.add_exception_handler(caching.NotModifiedError, caching.not_modified)
    _add_middleware(app, settings, traced)
    app.openapi = lambda: _document(app, settings.root_path)  # type: ignore[method-assign]
    return app


def _add_middleware(app: FastAPI, settings: Settings, traced: bool) -> None:
    """Each wraps those before it."""
    # Within the others, so that an unexpected error has their headers too.
    app.add_middleware(ServerErrorMiddleware, handler=problems.unexpected)
    app.add_middleware(JsonCompressionMiddleware)
    if settings.cors_origins:
        app.add_middleware(CrossOriginMiddleware, origins=settings.cors_origins)
    app.add_middleware(MetricsMiddleware, state=app.state)
    if traced:
        app.add_middleware(TracingMiddleware, state=app.state)
    app.add_middleware(RequestContextMiddleware, cross_origin=bool(settings.cors_origins))
    app.add_middleware(StartupErrorMiddleware, state=app.state)


def _lifespan(settings: Settings, traced: bool) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        def shutdown_on_fatal() -> None:
            """Stop as on SIGTERM; ``app.__main__`` exits with an error because of ``fatal``."""
            app.state.fatal = True
            signal.raise_signal(signal.SIGTERM)

        state = app.state
        state.metrics = Metrics()
        state.body_budget = BodyBudget(settings.max_total_body_bytes)
        storage = rate_storage(settings)
        state.auth = ApiKeyAuth(
            settings.api_keys,
            settings.requests_per_minute,
            storage,
            settings.metrics_keys,
            settings.read_only_api_keys,
            settings.admin_keys,
        )
        state.draining = False
        caching.code_version()  # now, not in the first request
        try:
            state.service = Service(settings, state.metrics, shutdown_on_fatal)
            await state.service.start()
        except (CheckpointError, DeviceError) as error:
            state.startup_error = str(error)
            raise
        if traced:  # an import that takes seconds and megabytes
            from app.observability.tracing import Tracer

            state.tracer = Tracer(__version__)
        yield
        await state.service.stop()
        if storage is not None:
            storage.close()
        if traced:
            state.tracer.close()

    return lifespan


def _document(app: FastAPI, root_path: str) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = openapi.document(app, root_path)
    return app.openapi_schema

"""Access of pages of other origins (CORS), for the origins of the settings."""

from collections.abc import Sequence

from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.problems import problem

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
REQUEST_HEADERS = ("Authorization", "If-None-Match", "Traceparent", "Tracestate", "X-Request-ID")
RESPONSE_HEADERS = (
    "ETag",
    "Lorgnette-Model",
    "Lorgnette-Seed",
    "Lorgnette-Strength",
    "Retry-After",
    "Server-Timing",
    "X-Request-ID",
)
MAX_AGE_SECONDS = 7200  # of a preflight; browsers keep none for longer


class PreflightError(Exception):
    """A browser asks for a request that is not allowed."""


class CrossOriginMiddleware(CORSMiddleware):
    """Starlette's, whose refusals of a preflight are problems.

    A preflight has no key, so it is answered before authentication.

    Args:
        app: that serves all other requests.
        origins: that are allowed; ``*`` is every one.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=RESPONSE_HEADERS,
            max_age=MAX_AGE_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        try:
            await super().__call__(scope, receive, send)
        except PreflightError as error:
            vary = {"Vary": self.preflight_headers["Vary"]}
            response = problem(Request(scope), 400, "cors", str(error), headers=vary)
            await response(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """The response to a preflight.

        Raises:
            PreflightError: if the origin, method or a header is not allowed.
        """
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        raise PreflightError(
            f"{bytes(response.body).decode()}: the origins are those of LORGNETTE_CORS_ORIGINS, "
            f"the methods {', '.join(METHODS)}, and the headers {', '.join(self.allow_headers)}"
        )

"""Which methods a path has, for ``OPTIONS`` and for 405."""

from collections.abc import Iterable

from fastapi import Request, Response
from starlette.routing import BaseRoute, Match, Route


def allowed_methods(request: Request) -> str:
    """Value of ``Allow`` (RFC 9110, section 10.2.1) for the path of a request."""
    methods: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods))


async def options(request: Request) -> Response:
    """The methods of a path; no key is needed."""
    return Response(status_code=204, headers={"Allow": allowed_methods(request)})


def options_routes(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """A route for ``OPTIONS`` of each path."""
    paths = dict.fromkeys(route.path for route in routes if isinstance(route, Route))
    return [Route(path, options, methods=["OPTIONS"], include_in_schema=False) for path in paths]

"""What the middlewares have in common."""

from collections.abc import Awaitable, Callable
from typing import Any, Concatenate

from starlette.types import Scope

Handle = Callable[Concatenate[Any, Scope, ...], Awaitable[None]]


def only(scope_type: str) -> Callable[[Handle], Handle]:
    """A middleware's ``__call__`` for one type of ASGI scope; others pass, at no extra cost."""

    def decorate(handle: Handle) -> Handle:
        def call(middleware: Any, scope: Scope, *channels: Any) -> Awaitable[None]:
            if scope["type"] == scope_type:
                return handle(middleware, scope, *channels)
            passed: Awaitable[None] = middleware.app(scope, *channels)
            return passed

        return call

    return decorate

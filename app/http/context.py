"""What is known about a request while it is served."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from starlette.types import Scope

from app.http.body_budget import Reservation
from app.observability.timing import Timing

SCOPE_KEY = "lorgnette"


@dataclass(slots=True)
class RequestContext:
    """Facts about one request, filled in as they become known.

    Attributes:
        request_id: value of ``X-Request-ID``.
        trace_id: of its OpenTelemetry trace, in hexadecimal; None without tracing.
        timing: where its time goes.
        status: of its response; 500 until there is one.
        model_id: ``NAME@SHA256-12`` of the model that it is for; None before that is known.
        key_name: name of the key that it was sent with; None without one.
        cache_headers: of its response if that can be kept; empty if not, or not yet known.
        reservation: of the memory for its body; None before its route is known.
        is_page: whether its response is the playground, which may load its own scripts.
    """

    request_id: str
    trace_id: str | None = None
    timing: Timing = field(default_factory=Timing)
    status: int = 500
    model_id: str | None = None
    key_name: str | None = None
    cache_headers: Mapping[bytes, bytes] = field(default_factory=dict)
    reservation: Reservation | None = None
    is_page: bool = False


def request_context(scope: Scope) -> RequestContext:
    """The context of the request of this ASGI scope."""
    return cast(RequestContext, scope[SCOPE_KEY])

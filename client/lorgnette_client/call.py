"""A request to the service, and how its response becomes a result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

from lorgnette_client.errors import error_of, unexpected
from lorgnette_client.operands import Part

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and how its response is read.

    Attributes:
        method: of HTTP.
        path: below the address of the service.
        read: makes the result of a response with an expected status.
        query: parameters.
        parts: of a form; without any there is no form.
        npy: body that is an ``.npy`` file, in place of a form.
        expected: statuses that are no error.
        repeatable: whether a second request has the result of the first.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    query: Mapping[str, str]
    parts: Sequence[Part] = ()
    npy: bytes | None = None
    expected: tuple[int, ...] = (200,)
    repeatable: bool = True

    def request(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The request of this client."""
        headers = {} if self.npy is None else {"Content-Type": "application/x-npy"}
        return client.build_request(
            self.method,
            self.path,
            params=self.query,
            files=list(self.parts) or None,
            content=self.npy,
            headers=headers,
        )

    def result(self, outcome: httpx.Response | httpx.TransportError) -> T:
        """The result.

        Raises:
            LorgnetteError: if the response has another status, or cannot be read.
            httpx.TransportError: if there is no response.
        """
        if isinstance(outcome, httpx.TransportError):
            raise outcome
        response = outcome
        if response.status_code not in self.expected:
            raise error_of(response)
        try:
            return self.read(response)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError):
            raise unexpected(response) from None

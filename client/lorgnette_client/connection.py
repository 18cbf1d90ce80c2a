"""Address, key and headers of a client, from its arguments or the environment."""

import os
from dataclasses import dataclass

import httpx

from lorgnette_client.version import __version__

URL_VARIABLE = "LORGNETTE_URL"
KEY_VARIABLE = "LORGNETTE_API_KEY"
DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Connection:
    """Where the service is, and what each request to it carries.

    Attributes:
        base_url: with the path under which a proxy publishes the service, if any.
        headers: of each request.
    """

    base_url: httpx.URL
    headers: dict[str, str]


def connection(url: str | None, api_key: str | None) -> Connection:
    """The connection to a service.

    Args:
        url: of the service; if None, ``LORGNETTE_URL``, else ``http://127.0.0.1:8000``.
        api_key: if None, ``LORGNETTE_API_KEY``, else none.

    Raises:
        ValueError: if the address is not one of HTTP, or the key has characters that no header may.
    """
    address = url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    try:
        base_url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise ValueError(f"{address!r} is not an address: {error}") from None
    if base_url.scheme not in ("http", "https") or not base_url.host:
        raise ValueError(f"{address!r} is not an address such as {DEFAULT_URL}")
    headers = {"User-Agent": f"lorgnette-client/{__version__}"}
    key = api_key or os.environ.get(KEY_VARIABLE)
    if key:
        if not (key.isascii() and key.isprintable()):
            raise ValueError("the API key has characters that are not printable ASCII")
        headers["Authorization"] = f"Bearer {key}"
    return Connection(base_url, headers)

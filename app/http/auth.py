"""API keys as bearer tokens (RFC 6750), and the rate that each of them may use."""

import hashlib
import hmac
import math
import sqlite3
import time
from collections.abc import Sequence

from fastapi import Request
from fastapi.security import HTTPBearer
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, Storage
from limits.strategies import MovingWindowRateLimiter
from starlette.types import Scope

from app.setting_types import is_loopback, named_hash

# A proxy on this machine adds one of these for the client that it forwards.
FORWARDING_HEADERS = {b"forwarded", b"via", b"x-forwarded-for", b"x-real-ip"}
WRITING_METHODS = ("PUT", "DELETE")
API_KEY = "API key"

BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    description="An API key. Needed where the service is configured with keys.",
)
ADMIN_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="AdminKey",
    description="A key that may load models again. Needed where the service is configured with "
    "such keys; else the request must come from the same machine.",
)
METRICS_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="MetricsKey",
    description="A key for `/metrics`. Needed where the service is configured with such keys.",
)


class MissingApiKeyError(Exception):
    """Keys are configured, and the request has none."""


class InvalidApiKeyError(Exception):
    """The key of the request is none of those that are configured."""


class RateStorageError(Exception):
    """The requests of a key cannot be counted at the moment."""


class RateLimitExceededError(Exception):
    """The key has used up its rate; try again after ``retry_after`` seconds."""

    def __init__(self, limit: int, retry_after: int) -> None:
        super().__init__(f"this key may make {limit} requests a minute")
        self.retry_after = retry_after


class ReadOnlyApiKeyError(Exception):
    """The key of the request may not save or delete anything."""


class LocalOnlyError(Exception):
    """The request may only be made from this machine."""


class ApiKeyAuth:
    """Checks the keys of requests and limits their rate.

    Args:
        keys: ``HASH`` or ``NAME:HASH`` of each API key, the SHA-256 hash in hexadecimal; without
            any, every request is accepted.
        requests_per_minute: of each key, in any 60 seconds; 0 is no limit.
        storage: of the rates; a new one in memory by default. Workers share one to share the limit.
        metrics_keys: those of ``/metrics``, in the same form.
        read_only_keys: further API keys, in the same form, for requests that save nothing.
        admin_keys: those that may load models again, in the same form.
    """

    def __init__(
        self,
        keys: Sequence[str],
        requests_per_minute: int,
        storage: Storage | None = None,
        metrics_keys: Sequence[str] = (),
        read_only_keys: Sequence[str] = (),
        admin_keys: Sequence[str] = (),
    ) -> None:
        self._keys = [named_hash(text) for text in (*keys, *read_only_keys)]
        self._read_only = {digest for _, digest in map(named_hash, read_only_keys)}
        self._metrics_keys = [named_hash(text) for text in metrics_keys]
        self._admin_keys = [named_hash(text) for text in admin_keys]
        self._limit = requests_per_minute
        self._limiter: MovingWindowRateLimiter | None = None
        if self._keys and self._limit:
            self._item = RateLimitItemPerMinute(self._limit)
            self._limiter = MovingWindowRateLimiter(storage or MemoryStorage())

    async def authenticate_request(self, request: Request) -> str | None:
        """Check the ``Authorization`` header of a request; the name of its key.

        Raises:
            MissingApiKeyError, InvalidApiKeyError, RateLimitExceededError, RateStorageError,
                ReadOnlyApiKeyError: as ``authenticate``.
        """
        if not self._keys:
            return None
        writes = request.method in WRITING_METHODS
        return self.authenticate(await _bearer_token(request), writes=writes)

    async def authenticate_scrape(self, request: Request) -> str | None:
        """Check a request for the metrics, which counts for no rate; the name of its key.

        Where there are keys of the metrics, it needs one of them. Else it needs none from this
        machine, and an API key from others.

        Raises:
            MissingApiKeyError, InvalidApiKeyError: as ``authenticate``.
        """
        keys, kind = self._metrics_keys, "key of /metrics"
        if not keys and not _is_local(request.scope):
            keys, kind = self._keys, API_KEY
        return _name_of(await _bearer_token(request), keys, kind)[0] if keys else None

    async def authenticate_admin(self, request: Request) -> str | None:
        """Check a request to load a model again, which counts for no rate; the name of its key.

        Where there are admin keys, it needs one of them. Else it must come from this machine, and
        not from a page in a browser.

        Raises:
            MissingApiKeyError, InvalidApiKeyError: as ``authenticate``.
            LocalOnlyError: if there are no admin keys and it comes from elsewhere.
        """
        if self._admin_keys:
            return _name_of(await _bearer_token(request), self._admin_keys, "admin key")[0]
        if not _is_local(request.scope) or "origin" in request.headers:
            raise LocalOnlyError(
                "this needs a key of LORGNETTE_ADMIN_KEYS, which has none; without them it is for "
                "requests from the same machine, not through a proxy and not by a browser"
            )
        return None

    def authenticate(self, key: str | None, *, writes: bool = False) -> str | None:
        """Check an API key and count its request; the name of the key, None if none is needed.

        Args:
            key: as it was sent.
            writes: whether the request saves or deletes something.

        Raises:
            MissingApiKeyError: if there is none.
            InvalidApiKeyError: if it is not one of the configured keys.
            ReadOnlyApiKeyError: if the request writes and the key may not.
            RateLimitExceededError: if it has been used too often.
            RateStorageError: if the storage that workers share cannot count the request.
        """
        if not self._keys:
            return None
        name, digest = _name_of(key, self._keys, API_KEY)
        if writes and digest in self._read_only:
            raise ReadOnlyApiKeyError("this API key may not save or delete anything")
        if self._limiter is None:
            return name
        try:
            accepted = self._limiter.hit(self._item, digest.hex())
            reset, _ = (
                (0.0, 0) if accepted else self._limiter.get_window_stats(self._item, digest.hex())
            )
        except sqlite3.Error as error:
            raise RateStorageError(
                f"the requests of this API key cannot be counted: {error}"
            ) from None
        if not accepted:
            raise RateLimitExceededError(self._limit, max(1, math.ceil(reset - time.time())))
        return name


async def _bearer_token(request: Request) -> str | None:
    credentials = await BEARER(request)
    return credentials.credentials if credentials else None


def _name_of(key: str | None, keys: Sequence[tuple[str, bytes]], kind: str) -> tuple[str, bytes]:
    """The name and hash of a key, if it is one of ``keys``, which are of this kind."""
    if not key:
        raise MissingApiKeyError(f"send your {kind}: Authorization: Bearer KEY")
    digest = hashlib.sha256(key.encode()).digest()
    names = [name for name, known in keys if hmac.compare_digest(digest, known)]  # compares all
    if not names:
        raise InvalidApiKeyError(f"this {kind} is not known")
    return names[0], digest


def _is_local(scope: Scope) -> bool:
    """Whether a request comes from this machine, and no proxy on it says that it forwards it."""
    client = scope.get("client")
    forwarded = any(name in FORWARDING_HEADERS for name, _ in scope["headers"])
    return client is not None and is_loopback(client[0]) and not forwarded

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

BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    description="An API key. Needed where the service is configured with keys.",
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


class ApiKeyAuth:
    """Checks the keys of requests and limits their rate.

    Args:
        hashes: SHA-256 of each key, in hexadecimal; without any, every request is accepted.
        requests_per_minute: of each key, in any 60 seconds; 0 is no limit.
        storage: of the rates; a new one in memory by default. Workers share one to share the limit.
    """

    def __init__(
        self, hashes: Sequence[str], requests_per_minute: int, storage: Storage | None = None
    ) -> None:
        self._hashes = [bytes.fromhex(text) for text in hashes]
        self._limit = requests_per_minute
        self._limiter: MovingWindowRateLimiter | None = None
        if self._hashes and self._limit:
            self._item = RateLimitItemPerMinute(self._limit)
            self._limiter = MovingWindowRateLimiter(storage or MemoryStorage())

    async def authenticate_request(self, request: Request) -> None:
        """Check the ``Authorization`` header of a request.

        Raises:
            MissingApiKeyError, InvalidApiKeyError, RateLimitExceededError: as ``authenticate``.
        """
        if self._hashes:
            credentials = await BEARER(request)
            self.authenticate(credentials.credentials if credentials else None)

    def authenticate(self, key: str | None) -> None:
        """Check a key and count its request.

        Raises:
            MissingApiKeyError: if there is none.
            InvalidApiKeyError: if it is not one of the configured keys.
            RateLimitExceededError: if it has been used too often.
            RateStorageError: if the storage that workers share cannot count the request.
        """
        if not self._hashes:
            return
        if not key:
            raise MissingApiKeyError("send your API key: Authorization: Bearer KEY")
        digest = hashlib.sha256(key.encode()).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._hashes]  # always all
        if not any(matches):
            raise InvalidApiKeyError("this API key is not known")
        if self._limiter is None:
            return
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

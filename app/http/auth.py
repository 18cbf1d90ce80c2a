"""Who may come in: API keys as bearer tokens (RFC 6750), and how often each."""

import hashlib
import hmac
import math
import time
from collections.abc import Sequence

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


class MissingApiKeyError(Exception):
    """Keys are configured, and the request has none."""


class InvalidApiKeyError(Exception):
    """The request's key is none of those configured."""


class RateLimitExceededError(Exception):
    """This key has made its requests of the last minute; try again after ``retry_after`` s."""

    def __init__(self, limit: int, retry_after: int) -> None:
        super().__init__(f"this key may make {limit} requests a minute")
        self.retry_after = retry_after


class ApiKeyAuth:
    """Lets in whom it knows, as often as it is allowed.

    Args:
        hashes: SHA-256 of each key, in hexadecimal; without any, everybody is let in.
        requests_per_minute: of each key, in any 60 seconds; 0 is no limit.
    """

    def __init__(self, hashes: Sequence[str], requests_per_minute: int) -> None:
        self._hashes = [bytes.fromhex(text) for text in hashes]
        self._limit = requests_per_minute
        self._item = RateLimitItemPerMinute(max(1, requests_per_minute))
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def authenticate(self, authorization: str | None) -> None:
        """Check an ``Authorization`` header.

        Raises:
            NoKeyError: if it holds no bearer token.
            WrongKeyError: if the token is not known.
            RateError: if the token has been used too often.
        """
        if not self._hashes:
            return
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise MissingApiKeyError("send your key: Authorization: Bearer KEY")
        found = hashlib.sha256(token.strip().encode()).digest()
        matches = [hmac.compare_digest(found, known) for known in self._hashes]  # all, always
        if not any(matches):
            raise InvalidApiKeyError("this key is not known here")
        if self._limit and not self._limiter.hit(self._item, found.hex()):
            reset, _ = self._limiter.get_window_stats(self._item, found.hex())
            raise RateLimitExceededError(self._limit, max(1, math.ceil(reset - time.time())))

"""Which requests are sent again, and when."""

import time
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from lorgnette_client.call import Call

RETRIED = (429, 503)
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError)
FIRST_DELAY = 0.5  # seconds, where the service does not say when; doubled with each attempt


@dataclass(frozen=True)
class Retries:
    """How often, and for how long, a request is sent again.

    It is sent again after 429 and 503, when ``Retry-After`` says; and after a connection error: if
    no connection was made, or if it broke and the request can be repeated without another result.
    A response that does not come within the client's ``timeout`` is not waited for again.

    Attributes:
        attempts: requests at most, the first included; 1 is no retry.
        seconds: from the first request to the last at most. A ``Retry-After`` beyond it is the
            error at once.
    """

    attempts: int = 5
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.seconds < 0:
            raise ValueError(
                f"attempts must be 1 or more and seconds 0 or more, not {self.attempts} and "
                f"{self.seconds}"
            )

    def delay(
        self,
        call: Call[Any],
        outcome: httpx.Response | httpx.TransportError,
        attempt: int,
        elapsed: float,
    ) -> float | None:
        """Seconds until the request is sent again; None if it is not.

        Args:
            call: that was sent.
            outcome: of the last attempt.
            attempt: number of the last attempt, from 1.
            elapsed: seconds since the first attempt began.
        """
        backoff = FIRST_DELAY * 2 ** (attempt - 1)
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in RETRIED or outcome.status_code in call.expected:
                return None
            wait = retry_after(outcome, time.time())
            delay = backoff if wait is None else wait
        elif isinstance(outcome, NOT_SENT) or (call.repeatable and isinstance(outcome, BROKEN)):
            delay = backoff
        else:
            return None
        return delay if attempt < self.attempts and elapsed + delay <= self.seconds else None


DEFAULT = Retries()


def retry_after(response: httpx.Response, now: float) -> float | None:
    """Seconds of ``Retry-After`` (RFC 9110, section 10.2.3); None if there is none.

    Args:
        response: with seconds or a date in this header.
        now: seconds since the epoch.
    """
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date: datetime = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - now)

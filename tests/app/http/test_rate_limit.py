import hashlib
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.strategies import MovingWindowRateLimiter

from app.http.auth import ApiKeyAuth, RateLimitExceededError
from app.http.rate_limit import SQLiteStorage, rate_storage
from app.settings import Settings
from tests.app.conftest import problem, serving

KEY = "a key"
HASH = hashlib.sha256(KEY.encode()).hexdigest()


def limiter(folder: Path) -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(SQLiteStorage(folder))


def hit_often(folder: Path) -> int:
    """How many of 30 requests one process accepts."""
    limited, item = limiter(folder), RateLimitItemPerMinute(20)
    return sum(limited.hit(item, "key") for _ in range(30))


def test_processes_share_the_rate_of_a_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        accepted = pool.map(hit_often, [tmp_path] * 2)
    assert sum(accepted) == 20


def test_workers_share_the_limit_of_a_key(tmp_path: Path) -> None:
    first, second = (ApiKeyAuth([HASH], 3, SQLiteStorage(tmp_path)) for _ in range(2))
    for auth in (first, second, first):
        auth.authenticate(KEY)
    for auth in (first, second):
        with pytest.raises(RateLimitExceededError) as refused:
            auth.authenticate(KEY)
        assert 58 <= refused.value.retry_after <= 60


def test_the_window_moves_and_keys_have_windows_of_their_own(tmp_path: Path) -> None:
    limited, item = limiter(tmp_path), RateLimitItemPerSecond(2)
    assert limited.get_window_stats(item, "a").remaining == 2
    assert [limited.hit(item, "a") for _ in range(3)] == [True, True, False]
    assert limited.hit(item, "b")
    assert limited.get_window_stats(item, "a").remaining == 0
    time.sleep(1.05)
    assert limited.get_window_stats(item, "a").remaining == 2
    assert limited.hit(item, "a")
    limited.clear(item, "a")
    assert limited.get_window_stats(item, "a").remaining == 2


def test_only_workers_that_limit_keys_share_a_file(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    keys = {"api_keys": (HASH,), "requests_per_minute": 3}
    assert rate_storage(settings(**keys)) is None
    assert rate_storage(settings(worker_dir=tmp_path, api_keys=(HASH,))) is None
    assert list(tmp_path.iterdir()) == []
    assert rate_storage(settings(worker_dir=tmp_path, **keys)) is not None


def test_two_servers_count_together(settings: Callable[..., Settings], tmp_path: Path) -> None:
    limited = settings(api_keys=(HASH,), requests_per_minute=3, worker_dir=tmp_path)
    with serving(limited) as first, serving(limited) as second:
        headers = {"Authorization": f"Bearer {KEY}"}
        statuses = [
            client.get("/models", headers=headers).status_code for client in (first, second, first)
        ]
        assert statuses == [200] * 3
        problem(second.get("/models", headers=headers), 429, "3 requests a minute")


def test_a_rate_that_cannot_be_counted_is_503(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    limited = settings(api_keys=(HASH,), requests_per_minute=3, worker_dir=tmp_path)
    other = SQLiteStorage(tmp_path)
    with serving(limited) as client:
        headers = {"Authorization": f"Bearer {KEY}"}
        other._database.execute("BEGIN IMMEDIATE")  # a worker that stopped in a transaction
        found = client.get("/models", headers=headers)
        problem(found, 503, "cannot be counted")
        assert found.headers["retry-after"] == "1"
        other._database.execute("ROLLBACK")
        assert client.get("/models", headers=headers).status_code == 200
    other.close()

import asyncio
import gc
import threading
from collections.abc import Callable

import pytest

from app.http.body_budget import BodyBudget, BodyBudgetExceededError
from app.images import decoding
from app.settings import Settings
from tests.app import asgi
from tests.app.conftest import file, random_image


def test_bodies_share_the_budget() -> None:
    budget = BodyBudget(10)
    first, second = budget.reserve(), budget.reserve()
    first.acquire(6)
    with pytest.raises(BodyBudgetExceededError, match=r"6 bytes.*10"):
        second.acquire(5)
    second.acquire(4)
    first.release()
    assert budget.reserved == 4
    second.release()
    assert budget.reserved == 0


def test_bytes_are_released_when_the_last_thread_is_done_with_them() -> None:
    budget = BodyBudget(10)
    reservation = budget.reserve()
    reservation.acquire(6)
    work: Callable[[], int] | None = reservation.hold(lambda: 7)
    dropped: Callable[[], int] | None = reservation.hold(lambda: 8)  # and never run
    reservation.release()
    assert budget.reserved == 6
    assert work is not None
    assert work() == 7
    del dropped
    assert budget.reserved == 6
    work = None
    gc.collect()
    assert budget.reserved == 0


def test_the_budget_is_not_released_while_a_thread_decodes_for_a_client_that_is_gone(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = file(random_image(1))
    decodes, may_end = threading.Event(), threading.Event()
    read = decoding.read

    def slowly(*args: object) -> object:
        decodes.set()
        assert may_end.wait(30)
        return read(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding, "read", slowly)

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 -- a thread sets it
                await asyncio.sleep(0.01)

    async def scenario() -> None:
        async with asgi.started(settings()) as app:
            budget: BodyBudget = app.state.body_budget
            client = asgi.Client(app)
            request = asyncio.create_task(client.post("/encode", data, "image/png"))
            await until(decodes.is_set)
            client.gone.set()
            assert (await request).status == 400
            assert budget.reserved == len(data)
            may_end.set()
            await until(lambda: budget.reserved == 0)

    try:
        asyncio.run(scenario())
    finally:
        may_end.set()


@pytest.mark.parametrize("content_type", ["image/png", "application/json"])
def test_a_body_that_is_refused_is_released_without_a_garbage_collection(
    settings: Callable[..., Settings], content_type: str
) -> None:
    body = file(random_image(1)) if content_type == "image/png" else b'{"image": ["' + 2**17 * b"A"
    broken = body[: len(body) // 2] if content_type == "image/png" else body

    async def scenario() -> None:
        async with asgi.started(settings()) as app:
            gc.collect()
            gc.disable()
            for _ in range(3):
                reply = await asgi.Client(app).post("/encode", broken, content_type)
                assert reply.status == 400
            await asyncio.sleep(0.2)  # the thread lets go of the job
            assert app.state.body_budget.reserved == 0

    try:
        asyncio.run(scenario())
    finally:
        gc.enable()

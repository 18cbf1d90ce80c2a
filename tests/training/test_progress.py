import re
from collections.abc import Callable

import pytest

from training import progress
from training.progress import Task


class Clock:
    """Time that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("training.progress.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_speed_terms_and_time_left(clock: Clock) -> None:
    task = Task("Training", 1000, 100, "steps", 32, started=clock.now)
    clock.now += 10
    task.update(150, {"distortion": 1021.34, "rate (nats)": 45.2})
    assert task.text() == (
        "150 of 1,000 steps, 160.0 images/s, distortion 1021, rate (nats) 45.2, 0:02:50 left"
    )


def test_the_speed_is_that_of_the_last_minute(clock: Clock) -> None:
    task = Task("Training", 10_000, started=clock.now)
    for _ in range(100):
        clock.now += 1
        task.advance(10)
    for _ in range(70):
        clock.now += 1
        task.advance(1)
    assert ", 1.0 images/s, " in task.text()
    assert task.summary() == "Training: 1,070 of 10,000 images, 6.3 images/s, took 0:02:50"


def test_time_so_far_where_nothing_is_counted_or_done(clock: Clock) -> None:
    tasks = [Task("Fitting the prior", started=clock.now), Task("", 512, started=clock.now)]
    clock.now += 65
    assert progress.line(tasks) == (
        "Fitting the prior: 0:01:05 so far; 0 of 512 images, 0:01:05 so far"
    )


def test_a_watch_has_the_tasks_that_run() -> None:
    ended: list[str] = []
    with progress.watch(lambda task: ended.append(task.name)) as running:
        assert not running
        with progress.task("outer"), progress.task("inner", 3) as inner:
            assert [task.name for task in running] == ["outer", "inner"]
            inner.advance(2)
            assert "2 of 3 images" in progress.line(running)
        assert not running
    assert ended == ["outer"]


def test_a_task_that_fails_does_not_end() -> None:
    ended: list[str] = []
    with progress.watch(lambda task: ended.append(task.name)) as running:
        with pytest.raises(ValueError, match="broken"), progress.task("outer"):
            raise ValueError("broken")
        assert not running
    assert ended == []


def counts(read: Callable[[], str]) -> list[str]:
    return [re.sub(r" images.*", "", read()) for _ in progress.counted([[0] * 4, [0] * 3], 7)]


def test_batches_are_counted_by_their_images() -> None:
    with progress.watch(lambda _: None) as running:
        assert counts(lambda: progress.line(running)) == ["0 of 7", "4 of 7"]
        assert not running


def test_without_a_watch_work_is_not_recorded() -> None:
    assert counts(lambda: "nothing") == ["nothing", "nothing"]
    with progress.task("outer", 3) as task:
        task.advance(3)
    assert task.done == 3

import pytest

from app.inference.errors import QueueFullError
from app.inference.fair_queue import FairQueue


def drained(queue: FairQueue[str]) -> list[str]:
    return [queue.pop() for _ in range(len(queue))]


def test_requests_of_equal_size_are_served_in_the_order_of_arrival() -> None:
    queue = FairQueue[str]()
    for name in "abc":
        queue.push([f"{name}1", f"{name}2"], 10)
    assert drained(queue) == ["a1", "a2", "b1", "b2", "c1", "c2"]


def test_items_are_ordered_by_virtual_finish() -> None:
    queue = FairQueue[str]()
    queue.push(["large"] * 4, 10)  # finishes at 4
    queue.push(["small"], 10)  # at 1
    assert queue.pop() == "small"
    queue.push(["medium"] * 2, 10)  # at 1 + 2
    assert queue.pop() == "medium"
    queue.push(["equal"] * 2, 10)  # at 2 + 2, after the one that arrived first
    assert drained(queue) == ["medium", *["large"] * 4, *["equal"] * 2]


def test_a_request_of_n_items_is_not_overtaken_once_n_items_were_served() -> None:
    queue = FairQueue[str]()
    queue.push(["large"] * 5, 100)
    overtaken = 0
    while len(queue):
        queue.push(["small"], 100)
        if queue.pop() == "large":
            break
        overtaken += 1
    assert overtaken == 4


def test_it_accepts_all_items_of_a_request_or_none() -> None:
    queue = FairQueue[str]()
    queue.push(["a"] * 3, 5)
    with pytest.raises(QueueFullError, match="3 images are waiting; the queue holds 5") as full:
        queue.push(["b"] * 3, 5)
    assert full.value.retry_after == 1
    assert len(queue) == 3
    queue.push(["b"] * 2, 5)
    queue.push([], 5)
    assert len(queue) == 5


def test_retry_after_is_the_time_that_waiting_items_take() -> None:
    queue = FairQueue[str]()
    for _ in range(100):
        queue.record_seconds_per_item(2.0)
    queue.push(["a"] * 5, 5)
    with pytest.raises(QueueFullError) as full:
        queue.push(["b"], 5)
    assert full.value.retry_after == 10


def test_removed_items_leave_the_order_of_the_others() -> None:
    queue = FairQueue[str]()
    queue.push(["a1", "a2", "a3"], 10)
    queue.push(["b1", "b2"], 10)
    queue.push(["c1"], 10)
    queue.remove(lambda item: item.startswith("b") or item == "a2")
    assert queue.served == 0
    assert drained(queue) == ["c1", "a1", "a3"]
    assert queue.served == 3

"""Models that are loaded again in real processes: by SIGHUP, by a request, under load."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.app.conftest import ok, problem, tiny_checkpoint
from tests.app.processes import running
from tests.app.server.test_supervisor import children, wait_until
from vae.checkpoint import save

CLIENTS = 4
PATIENCE = 240.0  # seconds, on a machine that has other work
RELOAD = "/models/mine/reload"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the model ``mine``."""
    (tmp_path / "mine").mkdir()
    write(tmp_path / "mine", 1)
    return tmp_path / "mine"


def write(folder: Path, seed: int) -> None:
    save(tiny_checkpoint(seed), folder / "model.safetensors")


def sample(url: str) -> tuple[str, bytes]:
    """The model and the bytes of an image, on a new connection, to whichever worker gets it."""
    response = ok(httpx.get(f"{url}/sample?seed=7", timeout=60))
    return response.headers["lorgnette-model"], response.content


def failures(url: str) -> float:
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "lorgnette_model_reloads_total" and sample.labels["outcome"] == "failed"
    )


def under_load(url: str, change: Callable[[], None]) -> set[tuple[str, bytes]]:
    """What clients get who ask without a pause, from before a change until it has come to all."""
    samples: set[tuple[str, bytes]] = set()
    errors: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                samples.add(sample(url))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: bool(samples or errors), PATIENCE)
        change()
        wait_until(lambda: len({model for model, _ in samples}) > 1 or bool(errors), PATIENCE)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert errors == []
    return samples


def test_under_load_no_request_fails_and_each_image_is_of_the_model_that_it_names(
    folder: Path,
) -> None:
    with running(MODELS=str(folder), DETERMINISTIC="true") as (process, client):
        url = str(client.base_url)
        before = sample(url)

        def replace() -> None:
            write(folder, 2)
            process.send_signal(signal.SIGHUP)

        samples = under_load(url, replace)
        wait_until(lambda: sample(url)[0] != before[0], PATIENCE)
        after = sample(url)
        assert samples == {before, after}
        assert after[1] != before[1]

        (folder / "model.safetensors").write_bytes(b"broken")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: failures(url) == 1, PATIENCE)
        process.send_signal(signal.SIGHUP)  # it can be told again
        wait_until(lambda: failures(url) == 2, PATIENCE)
        assert sample(url) == after
        assert process.poll() is None


def test_all_workers_serve_what_one_was_asked_for(folder: Path) -> None:
    with running(MODELS=str(folder), DETERMINISTIC="true", WORKERS="2") as (process, client):
        url = str(client.base_url)
        wait_until(lambda: ok(client.post(RELOAD)).json()["workers"] == 2, PATIENCE)

        def served() -> set[str]:
            return {sample(url)[0] for _ in range(12)}

        [first] = served()
        write(folder, 2)
        body = ok(client.post(RELOAD)).json()
        assert (body["outcome"], body["workers"]) == ("reloaded", 2)
        assert served() == {body["model"]["id"]} != {first}

        write(folder, 1)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: served() == {first}, PATIENCE)

        (folder / "model.safetensors").unlink()
        problem(client.post(RELOAD), 409, "no such checkpoint")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: failures(url) == 3, PATIENCE)  # of the one that was asked, then of both
        assert served() == {first}
        assert len(children(process)) == 2

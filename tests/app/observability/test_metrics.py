"""The metrics of a real server."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.settings import Settings
from tests.app.conftest import file, ok, problem, random_image, serving


@pytest.fixture
def fresh(settings: Callable[..., Settings]) -> Iterator[httpx.Client]:
    with serving(settings()) as client:
        yield client


def counts(client: httpx.Client) -> dict[str, float]:
    """Every sample, as ``name{label="value"}``, labels in alphabetical order."""
    response = ok(client.get("/metrics"))
    assert response.headers["content-type"].startswith("text/plain; version=")
    found = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_requests_are_counted_by_route_and_status(fresh: httpx.Client) -> None:
    ok(fresh.post("/sample", json={"n": 3}))
    ok(fresh.post("/sample"))
    problem(fresh.post("/sample", json={"n": 0}), 422)
    problem(fresh.get("/models/cats"), 404)
    problem(fresh.get("/no/such/place"), 404)
    found = counts(fresh)
    assert found['lorgnette_http_requests_total{path="/sample",status="200"}'] == 2
    assert found['lorgnette_http_requests_total{path="/sample",status="422"}'] == 1
    assert found['lorgnette_http_requests_total{path="/models/{name}",status="404"}'] == 1
    assert found['lorgnette_http_requests_total{path="other",status="404"}'] == 1
    assert found['lorgnette_http_errors_total{type="invalid"}'] == 1
    assert found['lorgnette_http_errors_total{type="unknown-model"}'] == 1
    assert found['lorgnette_http_request_duration_seconds_count{path="/sample"}'] == 3


def test_batches_are_counted_by_model_and_operation(fresh: httpx.Client) -> None:
    ok(fresh.post("/sample", json={"n": 3}))
    ok(fresh.post("/reconstruct?model=grey", files={"image": file(random_image())}))
    found = counts(fresh)
    assert found['lorgnette_batch_size_sum{model="tiny",operation="decode"}'] == 3
    assert found['lorgnette_queue_wait_seconds_count{model="tiny",operation="decode"}'] == 3
    for operation in ("encode", "decode"):
        labels = f'model="grey",operation="{operation}"'
        assert found[f"lorgnette_batch_size_sum{{{labels}}}"] == 1
        assert found[f"lorgnette_inference_seconds_count{{{labels}}}"] == 1
        assert found[f"lorgnette_inference_seconds_sum{{{labels}}}"] > 0
        assert found[f"lorgnette_queue_depth{{{labels}}}"] == 0
    assert found["lorgnette_response_encode_seconds_count{}"] == 2
    assert found["lorgnette_inference_timeouts_total{}"] == 0


def test_loaded_models_are_named(fresh: httpx.Client) -> None:
    loaded = {m["name"]: m["sha256"] for m in ok(fresh.get("/models")).json()["models"]}
    found = counts(fresh)
    for name, sha256 in loaded.items():
        assert found[f'lorgnette_model_info{{model="{name}",sha256="{sha256}"}}'] == 1


def test_the_process_is_measured(fresh: httpx.Client) -> None:
    found = counts(fresh)
    assert found["process_resident_memory_bytes{}"] > 2**20
    assert found["process_cpu_seconds_total{}"] > 0
    assert found["process_open_fds{}"] > 2
    assert found["process_start_time_seconds{}"] > 1e9


def test_two_services_do_not_share_their_metrics(settings: Callable[..., Settings]) -> None:
    for _ in range(2):
        with serving(settings()) as client:
            ok(client.post("/sample"))
            assert counts(client)['lorgnette_http_requests_total{path="/sample",status="200"}'] == 1

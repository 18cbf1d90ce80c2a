"""The traces that a real process sends to a collector."""

import hashlib
import json
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.app.conftest import DIM, file, ok, problem, random_image
from tests.app.observability.collector import Collector, attributes, collecting
from tests.app.observability.traces import CALLER, caller, is_server, traced

KEY = "a-key-that-nobody-may-read"
HASH = hashlib.sha256(KEY.encode()).hexdigest()
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def client(models: Path, faults: Path, collector: Collector) -> Iterator[httpx.Client]:
    settings = {"API_KEYS": HASH, "MODEL_THREADS": "1"}  # one call at a time, whatever the machine
    with traced(models, faults, collector.url, **settings) as (_, client):
        client.headers["Authorization"] = f"Bearer {KEY}"
        yield client


def test_a_request_is_part_of_its_clients_trace(client: httpx.Client, collector: Collector) -> None:
    trace, headers = caller(1)
    before = time.time_ns()
    ok(client.post("/sample?model=tiny", json={"n": 3}, headers=headers))
    after = time.time_ns()
    spans = {span.name: span for span in collector.trace(trace, is_server)}
    server, children = spans.pop("POST /sample"), spans
    assert server.parent_span_id.hex() == CALLER
    assert attributes(server) == {
        "http.request.method": "POST",
        "http.route": "/sample",
        "http.response.status_code": 200,
        "url.path": "/sample",
        "url.scheme": "http",
    }
    assert list(children) == ["queue", "batch", "encode"]
    assert all(span.parent_span_id == server.span_id for span in children.values())
    labels = {"lorgnette.model": "tiny", "lorgnette.operation": "decode", "lorgnette.items": 3}
    assert attributes(children["queue"]) == labels
    number = attributes(children["batch"])["lorgnette.batch.number"]
    batch = {"lorgnette.batch.size": 3, "lorgnette.batch.number": number}
    assert attributes(children["batch"]) == labels | batch
    assert attributes(children["encode"]) == {"lorgnette.media_type": "image/png"}
    times = [before, server.start_time_unix_nano]
    for child in children.values():
        times += [child.start_time_unix_nano, child.end_time_unix_nano]
    times += [server.end_time_unix_nano, after]
    slack = 1_000_000  # two clocks are read one after the other
    assert all(a <= b + slack for a, b in pairwise(times)), times
    assert collector.services == {"lorgnette"}


def test_encode_and_decode_are_steps_of_their_own(
    client: httpx.Client, collector: Collector
) -> None:
    trace, headers = caller(2)
    ok(client.post("/reconstruct", files={"image": file(random_image())}, headers=headers))
    spans = [span for span in collector.trace(trace, is_server) if not is_server(span)]
    operations = [(span.name, attributes(span).get("lorgnette.operation")) for span in spans]
    assert operations == [
        ("queue", "encode"),
        ("batch", "encode"),
        ("queue", "decode"),
        ("batch", "decode"),
        ("encode", None),
    ]


def test_requests_of_one_batch_name_the_same_batch(
    client: httpx.Client, collector: Collector, faults: Path
) -> None:
    with ThreadPoolExecutor(3) as crowd:
        (faults / "hang").touch()
        first = crowd.submit(client.post, "/sample")
        time.sleep(0.3)
        together = [
            crowd.submit(client.post, "/sample", json={"n": n}, headers=caller(10 + n)[1])
            for n in (1, 2)
        ]
        time.sleep(0.3)
        released = time.time_ns()
        (faults / "hang").unlink()
        for future in (first, *together):
            ok(future.result())
    batches = []
    for n in (1, 2):
        spans = {span.name: span for span in collector.trace(caller(10 + n)[0], is_server)}
        batches.append(attributes(spans["batch"]))
        queue = spans["queue"]
        assert queue.start_time_unix_nano < released < queue.end_time_unix_nano
    assert [batch["lorgnette.items"] for batch in batches] == [1, 2]
    assert {batch["lorgnette.batch.size"] for batch in batches} == {3}
    assert len({batch["lorgnette.batch.number"] for batch in batches}) == 1


def test_failures_are_recorded(client: httpx.Client, collector: Collector, faults: Path) -> None:
    (faults / "broken").touch()
    trace, headers = caller(3)
    problem(client.post("/decode", json={"latents": [[13.0] * DIM]}, headers=headers), 500)
    (faults / "broken").unlink()
    [server] = filter(is_server, collector.trace(trace, is_server))
    assert attributes(server)["http.response.status_code"] == 500
    assert attributes(server)["error.type"] == "500"
    assert server.status.code == Status.STATUS_CODE_ERROR
    trace, headers = caller(4)
    problem(client.get("/no/such/place", headers=headers), 404)
    [server] = collector.trace(trace, is_server)
    assert (server.name, server.status.code) == ("GET", Status.STATUS_CODE_UNSET)
    assert "http.route" not in attributes(server)


@pytest.mark.parametrize(
    "header", [None, "", "00-0-0-01", "x" * 2000, f"00-{'0' * 32}-{CALLER}-01"]
)
def test_without_a_trace_of_the_caller_there_is_a_new_one(
    client: httpx.Client, collector: Collector, header: str | None
) -> None:
    known = {span.trace_id for span in collector.spans}
    ok(client.get("/directions", headers={} if header is None else {"traceparent": header}))
    deadline = time.monotonic() + 30
    new: list[Span] = []
    while not new:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        new = [s for s in collector.spans if s.trace_id not in known and "directions" in s.name]
    assert not new[0].parent_span_id


def test_what_the_caller_does_not_sample_is_not_sent(
    client: httpx.Client, collector: Collector
) -> None:
    ok(client.get("/models", headers={"traceparent": f"00-{TRACE}-{CALLER}-00"}))
    trace, headers = caller(5)
    ok(client.get("/models", headers=headers))
    collector.trace(trace, is_server)
    assert TRACE not in {span.trace_id.hex() for span in collector.spans}


def test_no_key_latent_or_image_is_sent(client: httpx.Client, collector: Collector) -> None:
    latent, sent = 0.7654321, file(random_image())
    trace, headers = caller(6)
    body = {"latents": [[latent] * DIM]}
    response = ok(client.post("/decode", json=body, headers=headers))
    ok(client.get(f"/models?key={KEY}", headers=headers))
    ok(client.post("/encode", content=sent, headers=headers | {"Content-Type": "image/png"}))
    problem(client.get("/models", headers=headers | {"Authorization": "Bearer wrong-one"}), 401)
    collector.trace(trace, lambda span: attributes(span).get("http.response.status_code") == 401)
    sent_bytes = b"".join(collector.bodies)
    for secret in (KEY, HASH, "wrong-one", str(latent)):
        assert secret.encode() not in sent_bytes
    for data in (sent, response.content):
        assert data[60:120] not in sent_bytes


def test_answers_are_logged_with_their_trace(models: Path, tmp_path: Path) -> None:
    trace, headers = caller(7)
    (tmp_path / "broken").touch()
    with (
        collecting() as collector,
        traced(models, tmp_path, collector.url, LOG_FORMAT="json") as (process, client),
    ):
        ok(client.post("/sample", headers=headers))
        client.post("/decode", json={"latents": [[13.0] * DIM]}, headers=headers)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert len([s for s in collector.spans if s.trace_id.hex() == trace and is_server(s)]) == 2
    logged = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    ours = [line for line in logged if line.get("trace_id") == trace]
    assert [line.get("status") for line in ours if "status" in line] == [200, 500]
    assert [line["level"] for line in ours if "exception" in line] == ["error"]
    assert all(re.fullmatch("[0-9a-f]{32}", line["trace_id"]) for line in ours)

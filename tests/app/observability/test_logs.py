"""What a real process logs of its requests."""

import json
import logging
import signal
from pathlib import Path

import pytest

from app.observability.logs import JsonFormatter, answered
from tests.app.conftest import ok
from tests.app.processes import running


def lines(models: Path, form: str) -> list[str]:
    with running(MODELS=str(models / "tiny"), LOG_FORMAT=form) as (process, client):
        ok(client.post("/sample?model=tiny", headers={"X-Request-ID": "mine-1"}))
        client.get("/no%0Asuch%0D%0Aplace", headers={"X-Request-ID": "mine-2"})
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout is not None
        return process.stdout.read().splitlines()


def test_text_has_a_line_an_answer(models: Path) -> None:
    found = [line for line in lines(models, "text") if "mine-" in line]
    assert len(found) == 2
    assert " POST /sample 200 " in found[0]
    assert "model=tiny" not in found[0]
    assert r" GET /no\nsuch\r\nplace 404 " in found[1]


def test_json_is_an_object_a_line(models: Path) -> None:
    found = [json.loads(line) for line in lines(models, "json")]
    [answer] = [line for line in found if line.get("request_id") == "mine-1"]
    assert (answer["method"], answer["path"], answer["status"]) == ("POST", "/sample", 200)
    assert answer["milliseconds"] > 0
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in found)


def test_an_exception_is_a_field(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise KeyError("mine")
    except KeyError:
        with caplog.at_level(logging.ERROR, "lorgnette"):
            logging.getLogger("lorgnette").exception("it failed")
    line = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert line["level"] == "error"
    assert "KeyError: 'mine'" in line["exception"]


def test_an_answer_is_one_record(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "lorgnette.access"):
        answered("GET", "/a\nb", 200, 0.0123, "id")
    assert caplog.messages == [r"GET /a\nb 200 12.3 ms id"]

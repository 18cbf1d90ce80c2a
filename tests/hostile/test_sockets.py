"""Clients that speak HTTP badly, slowly, or stop in the middle of a word."""

import json
import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.cases import Case
from tests.hostile.server import Server, serving

HEAD = b"POST /sample HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
STATUS = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) ")
MIB = 2**20


@pytest.fixture(scope="module")
def hasty(model: Path) -> Iterator[Server]:
    """A server that waits two seconds for a head and three for a response."""
    with serving(model, HEADER_TIMEOUT_SECONDS="2", REQUEST_TIMEOUT_SECONDS="3") as server:
        yield server


@pytest.fixture(autouse=True)
def still_ready(hasty: Server) -> Iterator[None]:
    yield
    assert hasty.send(Case("ready", "/health/ready", method="GET")).status == 200


def said(server: Server, *pieces: bytes, pause: float = 0.0) -> bytes:
    """All that a server sends to these pieces until it closes the connection."""
    with socket.create_connection(server.address, timeout=30) as connection:
        with suppress(ConnectionError):  # of a server that has heard enough
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        return b"".join(heard(connection))


def heard(connection: socket.socket) -> Iterator[bytes]:
    with suppress(ConnectionError):
        while data := connection.recv(65_536):
            yield data


def statuses(response: bytes) -> list[int]:
    return [int(status) for status in STATUS.findall(response)]


def problem(response: bytes, status: int) -> Any:
    """The one problem that a response is."""
    assert statuses(response) == [status], response[:300]
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    found = json.loads(body)
    assert found["status"] == status
    return found


@pytest.mark.parametrize(
    "broken",
    [
        b"\r\n\r\n\0\0\0",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"BREW /sample HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(64),  # TLS
        GET + b"A\0B: c\r\n\r\n",
        GET + b"A : b\r\n\r\n",
        GET + b"A: b\0c\r\n\r\n",
        GET + b"nonsense\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1e3\r\n\r\n",
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"fffffffffffffffff\r\n",
        CHUNKED + b"2\r\n{}x\r\n0\r\n\r\n",
    ],
    ids=repr,
)
def test_what_is_not_http_gets_one_response_and_no_more(hasty: Server, broken: bytes) -> None:
    problem(said(hasty, broken), 400)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET /" + b"a" * MIB + b" HTTP/1.1\r\n"],
        [GET + b"A: " + b"b" * MIB + b"\r\n\r\n"],
        [GET + b"a" * MIB + b": b\r\n\r\n"],
        [GET + b"A: b\r\n" * 50_000 + b"\r\n"],
        [GET, *[b"A: " + b"b" * 1000 + b"\r\n"] * 1000],
        [CHUNKED + b"2;" + b"a=b;" * MIB],
        [CHUNKED + b"0\r\n", *[b"A: " + b"b" * 1000 + b"\r\n"] * 1000],
    ],
    ids=lambda pieces: repr(pieces[0][-20:]),
)
def test_a_head_is_as_long_as_it_may_be(hasty: Server, pieces: list[bytes]) -> None:
    assert "65536" in problem(said(hasty, *pieces), 431)["detail"]


def test_a_slow_head_is_not_waited_for(hasty: Server) -> None:
    sent = 0
    with socket.create_connection(hasty.address, timeout=30) as connection:
        connection.sendall(GET)
        while sent < 250 and not select.select([connection], [], [], 0.1)[0]:
            connection.sendall(b"A: b\r\n")
            sent += 1
        response = b"".join(heard(connection))
    assert "2 seconds" in problem(response, 408)["detail"]
    assert 1 < sent < 250  # at ten in a second, the response comes before the last of them


def test_a_long_word_for_a_small_length(hasty: Server) -> None:
    length = b"Content-Length: " + b"0" * 5000 + b"2\r\n\r\n{}"
    assert statuses(said(hasty, HEAD + b"Connection: close\r\n" + length))[0] in (200, 400)


def test_too_many_requests_in_a_row(hasty: Server) -> None:
    slow = HEAD + b"Content-Length: 10\r\n\r\n" + b" " * 10
    assert statuses(said(hasty, slow + (GET + b"\r\n") * 5000))[-1] in (200, 400)


def test_silence_is_answered_with_silence(hasty: Server) -> None:
    assert said(hasty) == b""


def test_a_slow_body_is_not_waited_for(hasty: Server) -> None:
    response = said(hasty, HEAD + b"Content-Length: 1000\r\n\r\n", *[b" "] * 60, pause=0.1)
    problem(response, 408)


def test_a_body_does_not_go_on_for_ever_after_its_response(hasty: Server) -> None:
    head = HEAD + b"Content-Length: 99999999999\r\n\r\n"
    response = said(hasty, head, *[b" "] * 60, pause=0.1)
    assert "33554432" in problem(response, 413)["detail"]


def test_a_body_shorter_than_it_says_is_not_waited_for(hasty: Server) -> None:
    problem(said(hasty, HEAD + b"Content-Length: 99\r\n\r\n{}"), 408)


def test_what_follows_a_body_is_no_part_of_it(hasty: Server) -> None:
    response = said(hasty, HEAD + b"Content-Length: 2\r\n\r\n{}smuggled")
    assert statuses(response)[-1:] == [400]
    assert len(statuses(response)) <= 2


def test_requests_in_a_row_are_answered_in_a_row(hasty: Server) -> None:
    last = GET + b"Connection: close\r\n\r\n"
    response = said(hasty, (GET + b"\r\n") * 50 + b"GET /no HTTP/1.1\r\nHost: x\r\n\r\n" + last)
    assert statuses(response) == [200] * 50 + [404, 200]


@pytest.mark.parametrize(
    "sent", [b"", GET, HEAD + b"Content-Length: 100\r\n\r\n{", CHUNKED + b"5\r\n{"]
)
def test_who_hangs_up_is_forgotten(hasty: Server, sent: bytes) -> None:
    before = hasty.open_files()
    for _ in range(50):
        with socket.create_connection(hasty.address, timeout=30) as connection:
            connection.sendall(sent)
    deadline = time.monotonic() + 20
    while hasty.open_files() > before + 10:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_response_that_nobody_reads_is_not_kept(hasty: Server) -> None:
    whole = len(said(hasty, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    count = 20 * MIB // whole  # more than the buffers on the way take
    with narrow(hasty) as connection:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * count)
        time.sleep(5)  # twice the two seconds, and a little
        assert sum(map(len, heard(connection))) < 0.8 * count * whole


def test_a_slow_reader_gets_its_responses(hasty: Server) -> None:
    last = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    whole = len(said(hasty, last))
    count = 8 * MIB // whole
    with narrow(hasty) as connection:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * (count - 1) + last)
        read, slow_until = 0, time.monotonic() + 6  # three times what nobody may wait
        for piece in heard(connection):
            read += len(piece)
            time.sleep(0.2 if time.monotonic() < slow_until else 0.0)
        assert read > 0.95 * count * whole


def narrow(server: Server) -> socket.socket:
    """A connection whose client buffers little, so that what it does not read waits there."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    connection.settimeout(30)
    connection.connect(server.address)
    return connection


def test_a_line_break_in_a_part_makes_no_header(hasty: Server) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a\r\nX-Evil: 1"\r\n\r\n1\r\n--b--\r\n'
    head = b"POST /arithmetic HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b"
    rest = b"\r\nConnection: close\r\nContent-Length: " + str(len(part)).encode() + b"\r\n\r\n"
    response = said(hasty, head + rest + part)
    assert statuses(response)[0] in (400, 422)
    assert b"x-evil" not in response.partition(b"\r\n\r\n")[0].lower()

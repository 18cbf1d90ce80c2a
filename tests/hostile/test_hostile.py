"""No request gets a 5xx, takes more than two seconds or 200 MB: thousands that try."""

import json
from collections.abc import Iterable

import pytest

from tests.hostile.cases import WAYS, Case, as_body
from tests.hostile.corpus import groups
from tests.hostile.formats import FORMATS, whole
from tests.hostile.server import MIB, Reply, Server

SECONDS = 2
MOST_MIB = 200e6 / MIB
GROUPS = groups()
LONG = groups(seed=1, flips=3_000)


@pytest.fixture(scope="module")
def usual(server: Server) -> float:
    """MiB that the server holds once it has done a bit of everything."""
    for kind in FORMATS:
        for way in WAYS:
            assert server.send(way(kind, whole(kind))).status == 200
    return server.memory()


def complaint(case: Case, reply: Reply) -> str | None:
    """What is wrong with a response, if anything is."""
    if reply.status >= 500:
        return f"{case.name}: {reply.status} {reply.body[:300]!r}"
    if reply.seconds > SECONDS:
        return f"{case.name}: {reply.seconds:.1f} seconds"
    if case.bad and reply.status < 400:
        return f"{case.name}: taken with {reply.status}"
    if reply.status >= 400:
        if reply.kind != "application/problem+json":
            return f"{case.name}: {reply.status} as {reply.kind or 'nothing'}"
        problem = json.loads(reply.body)
        if problem["status"] != reply.status or len(problem["detail"]) < 8:
            return f"{case.name}: {problem}"
    return None


def complaints(server: Server, cases: Iterable[Case], usual: float) -> list[str]:
    found = []
    for case in cases:
        server.reset_peak()
        reply = server.send(case)
        for _ in range(2):  # once more by itself, should something else have held it up
            if reply.seconds > SECONDS:
                reply = server.send(case)
        found += [text for text in [complaint(case, reply)] if text]
        if server.peak() - usual > MOST_MIB:
            found.append(f"{case.name}: {server.peak() - usual:.0f} MiB more")
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_hostile_requests_are_told_what_is_wrong(server: Server, usual: float, group: str) -> None:
    assert complaints(server, GROUPS[group](), usual) == []
    assert server.send(Case("ready", "/health/ready", method="GET")).status == 200


def test_there_are_thousands_and_always_the_same() -> None:
    first = [case for group in GROUPS.values() for case in group()]
    assert len(first) >= 2_000
    again = GROUPS["flipped"]()
    assert all(a == b for a, b in zip(first, again, strict=False))
    assert len({(case.name, case.path, case.method, case.body) for case in first}) > 2_000


@pytest.mark.long
def test_many_more_flips(server: Server, usual: float) -> None:
    assert complaints(server, LONG["flipped"](), usual) == []


def test_the_server_still_draws(server: Server) -> None:
    assert server.send(as_body("a good image", whole("PNG"))).status == 200

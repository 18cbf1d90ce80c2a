"""The health check requests readiness from the address at which the server listens."""

import socket
from pathlib import Path

import pytest

from app.server import healthcheck
from tests.app.processes import free_port, running


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 loopback address")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.3", "localhost", pytest.param("::1", marks=needs_ipv6)]
)
def test_it_asks_the_address_of_the_server(
    models: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    with running(MODELS=str(models / "tiny"), HOST=host) as (_, client):
        for name in ("http_proxy", "HTTP_PROXY"):  # which is not there, and must not be used
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv("LORGNETTE_HOST", host)
        monkeypatch.setenv("LORGNETTE_PORT", str(client.base_url.port))
        assert healthcheck.main() == 0


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("", "127.0.0.1"), ("10.1.2.3", "10.1.2.3")],
)
def test_it_asks_loopback_where_the_server_listens_on_every_address(
    monkeypatch: pytest.MonkeyPatch, host: str, address: str
) -> None:
    asked = []

    def connect(to: tuple[str, int], *_: object, **__: object) -> socket.socket:
        asked.append(to)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setenv("LORGNETTE_HOST", host)
    monkeypatch.setenv("LORGNETTE_ALLOW_ANONYMOUS", "true")
    assert healthcheck.main() == 1
    assert asked == [(address, 8000)]


def test_it_says_why_it_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    monkeypatch.setenv("LORGNETTE_PORT", str(port))
    assert healthcheck.main() == 1
    assert f"127.0.0.1 port {port}: " in capsys.readouterr().err
    monkeypatch.setenv("LORGNETTE_PORT", "abc")
    assert healthcheck.main() == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("LORGNETTE_PORT: ")

"""What a browser may make of a response, and what a process keeps of a request: nothing."""

import base64
import hashlib
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import Popen

import httpx
import numpy as np
import pytest
from PIL import Image

from app.server.run import main
from app.settings import Settings
from tests.app.conftest import DIM, file, ok, problem, random_image, serving
from tests.app.processes import ROOT, running
from vae.model import VAE

KEY = "a-key-that-nobody-may-read"
HASH = hashlib.sha256(KEY.encode()).hexdigest()
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/sample", 200),
        ("POST", "/sample?format=json", 200),
        ("GET", "/models", 200),
        ("GET", "/metrics", 200),
        ("GET", "/health/live", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/no/such/place", 404),
        ("GET", "/decode", 405),
        ("GET", "/sample", 200),
        ("OPTIONS", "/sample", 204),
        ("POST", "/sample?n=0", 422),
    ],
)
def test_a_browser_is_told_to_make_nothing_of_it(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    for name, value in HEADERS.items():
        assert response.headers.get_list(name) == [value]


def test_an_error_of_ours_has_the_same_headers(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: VAE, z: object) -> None:
        raise ValueError("unlucky")

    with serving(settings()) as client:
        monkeypatch.setattr(VAE, "decode_logits", broken)
        response = client.post("/sample")
        problem(response, 500)
    for name, value in HEADERS.items():
        assert response.headers.get_list(name) == [value]


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://127.0.0.1"])
def test_no_other_origin_is_let_in(client: httpx.Client, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    for path in ("/sample", "/models", "/no/such/place"):
        preflight = client.options(path, headers=asked)
        assert preflight.status_code in (204, 404)
        responses = [preflight, client.post(path, headers=asked), client.get(path, headers=asked)]
        for response in responses:
            assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("name", ["LORGNETTE_API_KEYS", "LORGNETTE_REQUESTS_PER_MINUTE"])
def test_a_bad_setting_does_not_show_its_value(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, KEY)
    with pytest.raises(SystemExit):
        main()
    printed = capsys.readouterr()
    assert name in printed.err
    assert KEY not in printed.err + printed.out


def large() -> bytes:
    """An image of several megabytes, as files that a parser would rather put on the disk."""
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
    data = file(Image.fromarray(noise))
    assert len(data) > 4 * 2**20
    return data


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which a process works, and has its home and its temporary files."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return home


@pytest.fixture
def locked(models: Path, home: Path, tmp_path: Path) -> Iterator[tuple[Popen[str], httpx.Client]]:
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / "broken").touch()
    more = {"API_KEYS": HASH, "LOG_LEVEL": "debug", "MODELS": str(models / "tiny")}
    with running("tests.app.faulty", str(faults), cwd=home, **more) as (process, client):
        client.headers["Authorization"] = f"Bearer {KEY}"
        yield process, client


def regular_files(process: Popen[str]) -> set[str]:
    """Files that the process has open, those without a name too."""
    found = set()
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # a connection that has just been closed
            found.add(str(link.readlink()))
    return {name for name in found if name.startswith("/") and not name.startswith("/dev/")}


def bytes_written(process: Popen[str]) -> int:
    """What the process has had written to disks so far."""
    lines = Path(f"/proc/{process.pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def test_nothing_of_a_request_is_kept(locked: tuple[Popen[str], httpx.Client], home: Path) -> None:
    process, client = locked
    sent, latent = large(), 0.7654321
    open_before, written_before = regular_files(process), bytes_written(process)
    response = ok(client.post("/reconstruct", files={"image": ("secret-name.png", sent)}))
    ok(client.post("/encode", content=sent, headers={"Content-Type": "image/png"}))
    body = {"start": {"image": base64.b64encode(sent).decode()}, "end": {"latent": [latent] * DIM}}
    ok(client.post("/interpolate", json=body))
    problem(client.post(f"/interpolate?key={KEY}", json=body), 422)
    problem(client.get("/models", headers={"Authorization": "Bearer wrong-one"}), 401)
    problem(
        client.post("/encode", content=sent[:-9000], headers={"Content-Type": "image/png"}), 400
    )
    problem(client.post("/decode", json={"latents": [[13.0, *[latent] * (DIM - 1)]]}), 500)
    deadline = time.monotonic() + 10  # a traceback's lines are read for the log after the response
    while (still_open := regular_files(process)) != open_before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert still_open == open_before
    assert bytes_written(process) == written_before
    assert list(home.iterdir()) == []
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "POST /reconstruct 200" in output
    assert "unlucky" in output
    shown = base64.b64encode(sent).decode()[100:140]
    for secret in (KEY, HASH, "wrong-one", str(latent), "secret-name", shown, repr(sent[60:70])):
        assert secret not in output
    assert base64.b64encode(response.content).decode()[100:140] not in output


def test_an_image_on_its_way_in_is_in_no_file(
    locked: tuple[Popen[str], httpx.Client], home: Path
) -> None:
    process, client = locked
    ok(
        client.post("/encode", files={"image": file(random_image())})
    )  # what it imports are files too
    seen: list[set[str]] = []
    before = regular_files(process)
    data = large()

    def slowly() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for start in range(0, len(data), 2**20):
            yield data[start : start + 2**20]
            seen.append(regular_files(process))
        yield b"\r\n--x--\r\n"

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    ok(client.post("/encode", content=slowly(), headers=kind))
    assert len(seen) > 4
    assert [files ^ before for files in seen if files != before] == []
    assert ok(client.post("/encode", files={"image": file(random_image())}))

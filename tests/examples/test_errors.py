"""What every example says when it cannot do its work: one clear message, and status 1."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.app.processes import free_port
from tests.examples.scripts import run
from tests.photographs import astronaut, without_face

COMMANDS = {
    "glasses.py": ("on", "{photo}", "out.png"),
    "shop_frame.py": ("face.png", "{photo}", "out.png"),
    "morph.py": ("face.png", "{photo}", "out.png"),
    "frame_steps.py": ("face.png", "face.png", "{photo}", "out.png"),
    "new_frame.py": ("frame", "--worn", "{photo}", "face.png", "out.png"),
}
FIELDS = {
    "glasses.py": "#/operands/me/0/image",
    "shop_frame.py": "#/operands/worn/0/image",
    "morph.py": "#/end/0/image",
    "frame_steps.py": "#/operands/worn/0/image",
    "new_frame.py": "#/with/0/image",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    astronaut().save(tmp_path / "face.png")
    without_face("coffee").save(tmp_path / "coffee.png")
    return tmp_path


def message(name: str, url: str, folder: Path, photo: str) -> str:
    arguments = [argument.format(photo=photo) for argument in COMMANDS[name]]
    process = run(name, url, *arguments, cwd=folder)
    assert process.returncode == 1
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    assert not (folder / "out.png").exists()
    return process.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_photograph_without_a_face(faces: str, folder: Path, name: str) -> None:
    [line] = message(name, faces, folder, "coffee.png").splitlines()
    assert line.startswith(f"{FIELDS[name]}: no face was found; send an upright photograph")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_photograph_that_is_not_there(faces: str, folder: Path, name: str) -> None:
    assert "No such file or directory: 'none.png'" in message(name, faces, folder, "none.png")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_that_is_no_image(faces: str, folder: Path, name: str) -> None:
    (folder / "text.png").write_text("not an image")
    assert "not a supported image format" in message(name, faces, folder, "text.png")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_service_that_does_not_run(folder: Path, name: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert message(name, url, folder, "face.png").startswith(f"{url}: ")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_address_without_a_scheme(folder: Path, name: str) -> None:
    text = message(name, "localhost:8000", folder, "face.png")
    assert text.startswith("localhost:8000: ")


class Proxy(BaseHTTPRequestHandler):
    """Responds to every request with an error that is not the service's."""

    def do_PUT(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(502)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>Bad Gateway</h1>")

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def proxy() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", COMMANDS)
def test_an_error_of_a_proxy(proxy: str, folder: Path, name: str) -> None:
    text = message(name, proxy, folder, "face.png")
    assert text.startswith(proxy)
    assert text.endswith(": 502 Bad Gateway\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_format_that_cannot_be_written(folder: Path, name: str) -> None:
    arguments = [a.format(photo="face.png") for a in COMMANDS[name]]
    process = run(name, "http://localhost", *arguments[:-1], "out.tiff", cwd=folder)
    assert process.returncode == 2  # as for every wrong argument
    assert "out.tiff: the name must end in" in process.stderr
    assert not (folder / "out.tiff").exists()

"""Every command of the README works as printed.

The blocks marked ``sh`` and ``python`` run in order in a copy of the working tree, with two changes
that do not touch what they do: the port is a free one, and the training is made short.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHORTER = {
    "-n 8000": "-n 24 --test 4",
    "--preset avatars": "--preset avatars --size 32 --epochs 1 --batch-size 8",
}
SERVERS = ("make serve", "-m app")
READY_SECONDS = 120


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / "README.md").read_text())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone would hold, with this virtual environment."""
    target = tmp_path_factory.mktemp("checkout")
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (target / ".venv").symlink_to(Path(sys.prefix))
    return target


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Reader:
    """Someone who pastes the README's blocks one after the other."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.environment = os.environ | {"LORGNETTE_PORT": str(port)}
        self.server: subprocess.Popen[bytes] | None = None

    def paste(self, language: str, text: str) -> None:
        text = text.replace("localhost:8000", f"localhost:{self.port}")
        for long, short in SHORTER.items():
            text = text.replace(long, short)
        command = ["bash", "-euo", "pipefail", "-c", text]
        if language == "python":
            command = [sys.executable, "-c", text]
        if any(name in text for name in SERVERS):
            self.stop()
            self.server = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, start_new_session=True
            )
            self._wait_until_ready()
        else:
            subprocess.run(command, cwd=self.folder, env=self.environment, check=True, timeout=200)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.server is not None
            assert self.server.poll() is None, "the server ended"
            try:
                httpx.get(f"http://localhost:{self.port}/health/ready").raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.2)
            else:
                return
        pytest.fail("the server did not become ready")

    def stop(self) -> None:
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGTERM)
            self.server.wait(30)
            self.server = None


@pytest.fixture
def reader(checkout: Path, port: int) -> Iterator[Reader]:
    reader = Reader(checkout, port)
    yield reader
    reader.stop()


@pytest.mark.timeout(500)
def test_every_block_works_as_pasted(reader: Reader) -> None:
    pasted = [(kind, text) for kind, text in blocks() if kind in ("sh", "python")]
    assert len(pasted) >= 5
    for kind, text in pasted:
        if text.strip() in ("make test", "make check"):  # which is what is running this
            subprocess.run(["make", "-n", *text.split()[1:]], cwd=reader.folder, check=True)
        else:
            reader.paste(kind, text)
    for name, tiles in {"24": (1, 1), "s": (3, 2), "i": (8, 1), "e": (1, 1), "g": (1, 1)}.items():
        with Image.open(reader.folder / f"{name}.png") as image:
            assert image.size == (256 * tiles[0], 256 * tiles[1])
            assert sum(map(bool, image.convert("L").histogram())) > 50
    served = httpx.get(f"http://localhost:{reader.port}/models").json()["models"]
    assert [model["name"] for model in served] == ["mine", "avatars"]


def test_every_file_it_names_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_every_endpoint_is_in_its_table(checkout: Path) -> None:
    document = (checkout / "openapi.json").read_text()
    paths = re.findall(r'^    "(/[^"]*)": \{$', document, re.MULTILINE)
    text = (ROOT / "README.md").read_text()
    assert paths
    for path in paths:
        assert f"{path}`" in text, path

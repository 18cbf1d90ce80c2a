"""Somebody who pastes the blocks of a page one after the other, in a copy of the working tree.

Blocks marked ``sh`` and ``python`` run; one with a title is saved as that file. What the commands
do stays as printed, but for the ports, which are free ones, and the training, which is made short.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.app.processes import free_port

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SHORTER = {
    "-n 8000": "-n 24 --test 4",
    "--preset avatars": "--preset avatars --size 32 --epochs 1 --batch-size 8",
}
READY_SECONDS = 120
EXPORTS = ".exports"  # what one block exports, the next ones have


@dataclass(frozen=True)
class Block:
    """A block of code of a page; ``title`` is the file that it is saved as, or empty."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall(page.read_text())]


def copy_tree(target: Path) -> Path:
    """What a clone would hold, with this virtual environment and the command of the client."""
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (target / ".venv").symlink_to(Path(sys.prefix))
    command = target / "bin" / "lorgnette"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m lorgnette_client "$@"\n')
    command.chmod(0o755)
    return target


class Reader:
    """Pastes blocks in a folder.

    ``port`` is that of a running service, or None: then ``make serve`` starts one. A block with
    ``-m app`` starts one of its own, which the blocks after it use.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.is_served = port is not None
        self.ports = {"8000": port or free_port(), "8001": free_port()}
        self.environment = os.environ | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "client"),
        }
        self.servers: dict[str, subprocess.Popen[bytes]] = {}

    def paste(self, block: Block) -> None:
        text = block.text
        if "-m app" in text:
            self.is_served = False
            self.stop("8000")
            self.ports["8000"] = free_port()
        for printed, free in self.ports.items():
            text = re.sub(rf"(localhost:|--port ){printed}", rf"\g<1>{free}", text)
        for long, short in SHORTER.items():
            text = text.replace(long, short)
        if block.title:
            (self.folder / block.title).write_text(text)
        elif block.language == "python":
            self._run([sys.executable, "-c", text])
        elif text.strip() == "make serve" and self.is_served:
            self.check_target(block)
        elif "make serve" in text or "-m app" in text:
            self._serve("8000", text, "/health/ready")
        elif "-m uvicorn" in text:
            self._serve("8001", text, "/")
        else:
            script = f"if [ -f {EXPORTS} ]; then . ./{EXPORTS}; fi\n{text}\nexport -p > {EXPORTS}"
            self._run(["bash", "-euo", "pipefail", "-c", script])

    def check_target(self, block: Block) -> None:
        """Check that make has the target of the block, without running it.

        Not by ``make -n``, which runs what calls make again.
        """
        target = block.text.split()[1]
        rules = (self.folder / "Makefile").read_text()
        assert re.search(rf"^{target}:", rules, re.MULTILINE), target

    def _run(self, command: list[str]) -> None:
        url = {"LORGNETTE_URL": f"http://localhost:{self.ports['8000']}"}
        environment = self.environment | url
        subprocess.run(command, cwd=self.folder, env=environment, check=True, timeout=600)

    def _serve(self, printed: str, text: str, path: str) -> None:
        self.stop(printed)
        exports = self.folder / EXPORTS
        script = f". ./{EXPORTS}\n{text}" if exports.exists() else text
        port = self.ports[printed]
        self.servers[printed] = subprocess.Popen(
            ["bash", "-euc", script],
            cwd=self.folder,
            env=self.environment | {"LORGNETTE_PORT": str(port)},
            start_new_session=True,
        )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.servers[printed].poll() is None, "the server ended"
            try:
                httpx.get(f"http://localhost:{port}{path}").raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.2)
            else:
                return
        pytest.fail("the server did not become ready")

    def stop(self, printed: str) -> None:
        """End the server of a port, if this reader has started it."""
        server = self.servers.pop(printed, None)
        if server is not None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)

    def close(self) -> None:
        """End all servers, and forget what was exported."""
        for printed in [*self.servers]:
            self.stop(printed)
        (self.folder / EXPORTS).unlink(missing_ok=True)

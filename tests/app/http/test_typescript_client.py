"""A client in TypeScript, of types that openapi-typescript makes of ``openapi.json``."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.app.conftest import DIM, latents, ok

SOURCE = Path(__file__).parent / "typescript"
DOCUMENT = Path(__file__).parents[3] / "openapi.json"
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
# A field with a default may be left out of a request.
TYPES = ("openapi-typescript", str(DOCUMENT), "--default-non-nullable=false")

pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None, reason="npm is not here; Debian has it in the packages nodejs, npm"
)


def run(folder: Path, *command: str) -> str:
    """What a command writes, which must exit with 0."""
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def installed(folder: Path, name: str, *arguments: str) -> Sequence[str]:
    return ("node", str(folder / "node_modules" / ".bin" / name), *arguments)


@pytest.fixture(scope="module")
def called(client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the client got, whose types have been checked."""
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "package-lock.json", "tsconfig.json", "calls.ts"):
        shutil.copy(SOURCE / name, folder)
    run(folder, *INSTALL)
    run(folder, *installed(folder, *TYPES, "--output", "schema.d.ts"))
    run(folder, *installed(folder, "tsc"))
    found: dict[str, Any] = json.loads(run(folder, "node", "built/calls.js", str(client.base_url)))
    return found


def test_images(called: dict[str, Any], client: httpx.Client) -> None:
    images = called["images"]
    assert images["seeds"] == [4, 5]
    assert images["same"] == images["images"]
    expected = latents(client.get("/sample?n=2&seed=4&format=json"))
    np.testing.assert_allclose(images["decoded"], expected)


def test_forms(called: dict[str, Any], client: httpx.Client) -> None:
    forms = called["forms"]
    assert (forms["encoded"], forms["copies"], forms["faces"]) == (1, 2, [])
    [z] = latents(client.get("/sample?seed=4&format=json"))  # which its image carries
    assert np.shape(forms["path"]) == (3, DIM)
    for row in (forms["path"][0], forms["path"][-1], forms["row"][0]):
        assert row == pytest.approx(z, abs=1e-5)
    assert (forms["filled"], len(forms["scores"])) == ([1], 1)
    assert forms["scores"][0] > 0
    assert forms["sum"][0] == pytest.approx(2 * z, abs=1e-5)


def test_directions(called: dict[str, Any]) -> None:
    directions = called["directions"]
    made = directions["made"]
    assert (made["name"], made["meaning"], made["saved"]) == ("typed", "ours", True)
    assert directions["found"] == made
    assert {"glasses", "smile", "typed"} <= set(directions["listed"])
    assert (directions["shown"], directions["gone"]) == (2, 204)
    assert directions["missing"] == "urn:lorgnette:unknown-direction"


def test_models(called: dict[str, Any], client: httpx.Client) -> None:
    models = called["models"]
    grey = ok(client.get("/models/grey")).json()["id"]
    assert models["listed"] == ["tiny", "grey"]
    assert (models["one"], models["reload"]) == (grey, ["unchanged", grey])
    assert models["health"] == ["live", "ready"]
    assert "lorgnette_http_requests_total" in models["metrics"]


def test_every_operation_is_called() -> None:
    calls = re.findall(r'service\.([A-Z]+)\("([^"]+)"', (SOURCE / "calls.ts").read_text())
    paths = json.loads(DOCUMENT.read_text())["paths"]
    documented = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert set(calls) == documented


def test_the_lock_names_no_registry() -> None:
    packages = json.loads((SOURCE / "package-lock.json").read_text())["packages"]
    assert all("resolved" not in package for package in packages.values())
    assert all("integrity" in package for path, package in packages.items() if path)

"""Imports point one way: what each package may import, and that nothing unpickles."""

import ast
import sys
from pathlib import Path

import pytest

from tests.import_rules import (
    BATCHER,
    MAY_IMPORT,
    PACKAGES,
    RESTRICTED_LOAD,
    package_of,
    violations,
)
from tests.imports import imported

ROOT = Path(__file__).parent.parent
FILES = sorted(
    file.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for file in (ROOT / package).rglob("*.py")
)
TOP_LEVEL = (
    *PACKAGES,
    "examples",
    "models",
    "playground",
    "tests",
    "Dockerfile",
    "docker-compose.yml",
    "pyproject.toml",
)


@pytest.mark.parametrize("path", FILES)
def test_a_file_imports_only_what_its_package_may(path: str) -> None:
    assert violations(path, (ROOT / path).read_text()) == []


@pytest.mark.parametrize("package", sorted({package_of(path) for path in FILES} - {*PACKAGES}))
def test_every_package_has_a_rule(package: str) -> None:
    assert package in MAY_IMPORT


def test_every_rule_has_a_package() -> None:
    assert set(MAY_IMPORT) <= {package_of(path) for path in FILES}


@pytest.mark.parametrize(
    "folder", sorted({str(Path(path).parent) for path in FILES}), ids=lambda path: path
)
def test_a_package_says_in_one_line_what_it_is_for(folder: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / folder / "__init__.py").read_text()))
    assert docstring
    assert len(docstring.splitlines()) == 1


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("vae/latent.py", "import app", "vae must not import app"),
        ("vae/latent.py", "from training.data import x", "vae must not import training"),
        ("vae/latent.py", "import numpy as np", "not numpy"),
        ("app/operations/sample.py", "from training.fit import loss", "must not import training"),
        ("app/operations/sample.py", "from tests import imports", "must not import tests"),
        ("app/operations/sample.py", "from app.http import auth", "must not import app.http"),
        ("app/operations/sample.py", "from ..http import auth", "must not import app.http"),
        ("app/operations/sample.py", "from starlette.requests import Request", "starlette stays"),
        ("app/http/routes.py", "from app.application import x", "must not import app.application"),
        ("app/http/routes.py", "import torch", "torch stays"),
        ("app/inference/engine.py", "from app.images import png", "must not import app.images"),
        ("app/inference/registry.py", "import app.http.auth", "must not import app.http.auth"),
        ("app/observability/logs.py", "from app.inference import x", "must not import app.inf"),
        ("app/images/png.py", "def late():\n    import uvicorn", "2: uvicorn stays"),
        ("app/images/png.py", "import torch.nn as nn", "torch stays"),
        ("app/images/png.py", "from app.settings import Settings", "must not import app.settings"),
        ("app/settings.py", "from app.images import png", "must not import app.images"),
        (BATCHER, "import numpy", "standard library"),
        (BATCHER, "from app.http import problems", "standard library"),
        (BATCHER, "from . import engine", "standard library"),
        ("training/fit/trainer.py", "import app.inference", "must not import app"),
        ("training/fit/trainer.py", "import fastapi", "fastapi stays"),
        (
            "training/fit/trainer.py",
            "from training.evaluate import x",
            "must not import training.e",
        ),
        ("training/evaluate/frechet.py", "from training.fit import loss", "must not import"),
        ("training/report/card.py", "from training.cli import terminal", "must not import"),
        ("training/data/sources.py", "from training.analysis import x", "must not import"),
        ("training/data/sources.py", "import pickle", "pickle can run code"),
        ("training/data/sources.py", "from pickle import loads as read", "pickle can run code"),
        ("client/lorgnette_client/call.py", "import torch", "httpx, numpy and Pillow only"),
        ("client/lorgnette_client/call.py", "from vae import latent", "must not import vae"),
        ("app/http/routes.py", "import lorgnette_client", "must not import lorgnette_client"),
        ("vae/checkpoint.py", "import torch\ntorch.load('x')", "2: torch.load"),
        ("vae/checkpoint.py", "import torch as t\nread = t.load", "2: torch.load"),
        ("vae/checkpoint.py", "import torch.nn\ntorch.load('x')", "2: torch.load"),
        ("vae/checkpoint.py", "from torch import load", "1: torch.load"),
        ("vae/checkpoint.py", "from torch.serialization import load", "torch.serialization"),
        ("app/application.py", "import importlib\nimportlib.import_module('x')", "import_module"),
        ("app/application.py", "__import__('x')", "__import__"),
        (RESTRICTED_LOAD, "import torch\ntorch.load('x')", "2: torch.load"),
        (RESTRICTED_LOAD, "import torch\ntorch.load('x', weights_only=no)", "torch.load"),
        (RESTRICTED_LOAD, "import torch\nread = torch.load", "torch.load"),
        ("training/fit/trainer.py", "import torch\ntorch.load('x', weights_only=True)", "load"),
    ],
)
def test_a_violation_is_found(path: str, source: str, reason: str) -> None:
    assert any(reason in found for found in violations(path, source)), violations(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("vae/latent.py", "import math\nimport torch\nfrom safetensors import safe_open"),
        ("vae/latent.py", "from vae import model\nfrom . import pixels"),
        (
            "app/operations/sample.py",
            "import torch\nfrom vae import latent\nfrom app.images import png",
        ),
        ("app/http/routes.py", "from fastapi import APIRouter"),
        (BATCHER, "import asyncio\nfrom collections.abc import Callable"),
        (BATCHER, "from app.observability.timing import Timing"),
        ("client/lorgnette_client/client.py", "import httpx\nfrom lorgnette_client import calls"),
        ("training/fit/trainer.py", "import torch\nmodel.load_state_dict(checkpoint.load(path))"),
        (RESTRICTED_LOAD, "import torch\ntorch.load('x', weights_only=True)"),
        ("training/fit/trainer.py", "'torch.load, pickle and __import__ in a sentence'"),
    ],
)
def test_what_is_allowed_is_not_refused(path: str, source: str) -> None:
    assert violations(path, source) == []


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_the_top_level_is_complete(name: str) -> None:
    assert (ROOT / name).exists()


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.py")), ids=lambda f: f.name)
def test_an_example_needs_httpx_only(file: Path) -> None:
    imports = {use.top for use in imported(f"examples/{file.name}", file.read_text())}
    assert imports - sys.stdlib_module_names == {"httpx"}


def test_models_are_data() -> None:
    suffixes = {".py", ".pyc", ".pyi", ".so", ".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin"}
    assert [file for file in (ROOT / "models").rglob("*") if file.suffix in suffixes] == []

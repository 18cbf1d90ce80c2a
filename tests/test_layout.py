"""Arrows point one way: what each file of the house may import, and that nothing unpickles."""

import ast
import sys
from pathlib import Path

import pytest

from tests.imports import imported, used

ROOT = Path(__file__).parent.parent
PACKAGES = ("vae", "app", "training")
FILES = sorted(
    file.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for file in (ROOT / package).rglob("*.py")
)
TOP_LEVEL = (
    *PACKAGES,
    "models",
    "tests",
    "Dockerfile",
    "docker-compose.yml",
    "pyproject.toml",
)

OURS = {*PACKAGES, "tests", "benchmarks", "docs"}
MAY_IMPORT = {"vae": {"vae"}, "app": {"app", "vae"}, "training": {"training", "vae"}}
MATHEMATICS = sys.stdlib_module_names | {"torch", "safetensors", "vae"}
FRAMEWORK = {"fastapi", "starlette", "uvicorn"}
FRAMEWORK_FILES = {
    f"app/{name}.py"
    for name in ("main", "routes", "door", "errors", "forms", "connections", "__main__", "openapi")
}
TORCH_FILES = {f"app/{name}.py" for name in ("engine", "runner", "ways", "registry", "service")}
PICKLES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
REFUSED_NAMES = (
    "torch.load",
    "torch.save",
    "torch.hub",
    "torch.jit.load",
    "torch.package",
    "torch.serialization",
    "importlib.import_module",  # arrows that cannot be seen
    "__import__",
)


# Weights of a locked package, read without running what they hold: docs/decisions/0011.
RESTRICTED_LOAD = "training/analysis/features.py"


def refusal(path: str, top: str) -> str | None:
    """Why the file may not import this top-level module, or None if it may."""
    package = path.partition("/")[0]
    if top in OURS and top not in MAY_IMPORT[package]:
        return f"{package} must not import {top}"
    if package == "vae" and top not in MATHEMATICS:
        return f"vae imports torch and safetensors only, not {top}"
    if path == "app/inference/batcher.py" and top not in sys.stdlib_module_names:
        return f"the batcher imports the standard library only, not {top}"
    if top in FRAMEWORK and path not in FRAMEWORK_FILES:
        return f"{top} stays at the edge of app"
    if package == "app" and top == "torch" and path not in TORCH_FILES:
        return "torch stays in the engine, its runner, the registry and the service"
    if top in PICKLES:
        return f"{top} can run code that comes with the data"
    return None


def loads_weights_only(source: str) -> bool:
    """Whether ``torch.load`` stands only where ``weights_only=True`` does."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    loads = [call for call in calls if ast.unparse(call.func) == "torch.load"]
    return source.count("torch.load") == len(loads) and all(
        any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in call.keywords)
        for call in loads
    )


def violations(path: str, source: str) -> list[str]:
    """Every broken rule of a file, with its line."""
    found = [
        (use.line, reason) for use in imported(path, source) if (reason := refusal(path, use.top))
    ]
    found += [
        (use.line, f"{name} is not used here")
        for use in [*imported(path, source), *used(path, source)]
        for name in REFUSED_NAMES
        if f"{use.name}.".startswith(f"{name}.")
        if not (path == RESTRICTED_LOAD and name == "torch.load" and loads_weights_only(source))
    ]
    return [f"{path}:{line}: {reason}" for line, reason in sorted(set(found))]


@pytest.mark.parametrize("path", FILES)
def test_a_file_keeps_to_its_place(path: str) -> None:
    assert violations(path, (ROOT / path).read_text()) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_looked_at(package: str) -> None:
    assert f"{package}/__init__.py" in FILES


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("vae/latent.py", "import app", "vae must not import app"),
        ("vae/latent.py", "from training.data import Dataset", "vae must not import training"),
        ("vae/latent.py", "import numpy as np", "not numpy"),
        ("app/operations/service.py", "from training import loss", "app must not import training"),
        ("app/operations/service.py", "from tests import imports", "app must not import tests"),
        ("training/fit/trainer.py", "import app.engine", "training must not import app"),
        ("training/fit/trainer.py", "import fastapi", "fastapi stays at the edge"),
        ("app/operations/service.py", "from starlette.requests import Request", "starlette stays"),
        ("app/images/decoding.py", "def late():\n    import uvicorn", "2: uvicorn stays"),
        ("app/images/decoding.py", "import torch.nn as nn", "torch stays"),
        ("app/inference/batcher.py", "import numpy", "standard library only"),
        ("app/inference/batcher.py", "from app import errors", "not app"),
        ("app/inference/batcher.py", "from . import errors", "not app"),
        ("app/inference/batcher.py", "from .errors import table", "not app"),
        ("training/data/sources.py", "import pickle", "pickle can run code"),
        ("training/data/sources.py", "from pickle import loads as read", "pickle can run code"),
        ("vae/checkpoint.py", "import torch\ntorch.load('x')", "2: torch.load"),
        ("vae/checkpoint.py", "import torch as t\nread = t.load", "2: torch.load"),
        ("vae/checkpoint.py", "import torch.nn\ntorch.load('x')", "2: torch.load"),
        ("vae/checkpoint.py", "from torch import load", "1: torch.load"),
        ("vae/checkpoint.py", "from torch.serialization import load", "torch.serialization"),
        ("app/application.py", "import importlib\nimportlib.import_module('x')", "import_module"),
        ("app/application.py", "__import__('x')", "__import__"),
        ("training/analysis/features.py", "import torch\ntorch.load('x')", "2: torch.load"),
        ("training/analysis/features.py", "import torch\ntorch.load('x', weights_only=no)", "torch.load"),
        ("training/analysis/features.py", "import torch\nread = torch.load", "torch.load"),
        ("training/fit/trainer.py", "import torch\ntorch.load('x', weights_only=True)", "torch.load"),
    ],
)
def test_a_violation_is_found(path: str, source: str, reason: str) -> None:
    assert any(reason in found for found in violations(path, source)), violations(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("vae/latent.py", "import math\nimport torch\nfrom safetensors import safe_open"),
        ("vae/latent.py", "from vae import model\nfrom . import pixels"),
        ("app/operations/service.py", "import torch\nfrom vae import latent\nfrom app import images"),
        ("app/http/routes.py", "from fastapi import APIRouter"),
        ("app/inference/batcher.py", "import asyncio\nfrom collections.abc import Callable"),
        ("training/fit/trainer.py", "import torch\nmodel.load_state_dict(checkpoint.load(path))"),
        ("training/analysis/features.py", "import torch\ntorch.load('x', weights_only=True)"),
        ("training/fit/trainer.py", "'torch.load, pickle and __import__ in a sentence'"),
    ],
)
def test_what_is_allowed_is_not_refused(path: str, source: str) -> None:
    assert violations(path, source) == []


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_the_house_has_its_rooms(name: str) -> None:
    assert (ROOT / name).exists()


def test_models_are_data() -> None:
    suffixes = {".py", ".pyc", ".pyi", ".so", ".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin"}
    assert [file for file in (ROOT / "models").rglob("*") if file.suffix in suffixes] == []

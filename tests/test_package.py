"""``pip install .`` gives ``training`` and ``vae``, which work outside the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, built from a copy of the sources; nothing is downloaded."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source)
    for name in ("app", "models", "tests", "training", "vae"):
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.png")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    more = ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target), "."]
    ran = subprocess.run([*pip, *more], cwd=source, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return target


def run(installed: Path, folder: Path, *words: str) -> str:
    """What Python prints on both of its outputs."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    ran = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def test_every_module_is_there_and_nothing_else(installed: Path) -> None:
    for package in ("training", "vae"):
        here, there = (
            {file.relative_to(root) for file in (root / package).rglob("*.py")}
            for root in (ROOT, installed)
        )
        assert here == there
    folders = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert folders == {"training", "vae"}


def test_the_command_line_works_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    printed = run(installed, tmp_path, "-X", "importtime", "-m", "training", "--help")
    assert "align-template" in printed
    assert re.search(r"\| +torch\n", printed)
    slow = r"\| +(sklearn|torchmetrics|torchvision)\n"  # only what needs them imports them
    assert not re.search(slow, printed)


def test_a_checkpoint_is_loaded_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from vae import checkpoint; print(checkpoint.__file__); "
        "print(sorted(checkpoint.load(sys.argv[1]).directions))"
    )
    printed = run(installed, tmp_path, "-c", program, str(ROOT / "models" / "faces"))
    assert printed.startswith(str(installed))
    assert "'glasses'" in printed

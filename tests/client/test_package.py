"""The wheel, in an environment that has what it requires and nothing else."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.app.conftest import SIZE

CLIENT = Path(__file__).parents[2] / "client"
RUN = """
import runpy, sys
sys.argv = ["lorgnette", *sys.argv[1:]]
try:
    runpy.run_module("lorgnette_client", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
assert "torch" not in sys.modules
import lorgnette_client
print(lorgnette_client.__file__)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, built from a copy of the sources; nothing is downloaded."""
    source, target = tmp_path_factory.mktemp("source") / "client", tmp_path_factory.mktemp("site")
    shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg*"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    more = ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target), "."]
    ran = subprocess.run([*pip, *more], cwd=source, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return target


@pytest.fixture(scope="module")
def requirements(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with links to what the wheel requires, and what that requires."""
    folder = tmp_path_factory.mktemp("requirements")
    [metadata] = installed.glob("*.dist-info/METADATA")
    missing = re.findall(r"^Requires-Dist: (.*)$", metadata.read_text(), re.MULTILINE)
    assert {Requirement(line).name for line in missing} == {"httpx", "numpy", "pillow"}
    done: set[str] = set()
    while missing:
        requirement = Requirement(missing.pop())
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if requirement.name in done or not applies:
            continue
        done.add(requirement.name)
        found = distribution(requirement.name)
        missing += found.requires or []
        for top in {file.parts[0] for file in found.files or [] if file.parts[0] != ".."}:
            place = folder / top
            if top != "__pycache__" and not place.exists():
                place.symlink_to(Path(str(found.locate_file(top))))
    return folder


def test_it_has_every_file_and_nothing_else(installed: Path) -> None:
    here, there = (
        {
            str(file.relative_to(root))
            for file in (root / "lorgnette_client").rglob("*")
            if file.suffix in (".py", ".typed")
        }
        for root in (CLIENT, installed)
    )
    assert here == there
    assert "lorgnette_client/py.typed" in there
    folders = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert folders == {"lorgnette_client", "bin"}
    assert (installed / "bin" / "lorgnette").exists()


def test_it_works_without_torch(
    installed: Path, requirements: Path, url: str, tmp_path: Path
) -> None:
    """``-S`` leaves out the packages of this environment, PyTorch among them."""
    words = ["--url", url, "sample", "-n", "2", "-o", "s.png"]
    ran = subprocess.run(
        [sys.executable, "-S", "-c", RUN, *words],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{installed}:{requirements}"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(installed))
    header = (tmp_path / "s.png").read_bytes()[:24]
    assert header[1:4] == b"PNG"
    assert int.from_bytes(header[16:20]) == 2 * SIZE
    absent = subprocess.run(
        [sys.executable, "-S", "-c", "import torch"],
        env={"PYTHONPATH": f"{installed}:{requirements}"},
        capture_output=True,
        text=True,
    )
    assert "No module named 'torch'" in absent.stderr

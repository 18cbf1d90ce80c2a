"""The locks: hashes for everything, no addresses, one version of each package, enough to serve."""

import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.imports import imported

ROOT = Path(__file__).parent.parent
SERVING, DEVELOPMENT = LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SERVED = sorted(
    f.relative_to(ROOT).as_posix() for p in ("vae", "app") for f in (ROOT / p).rglob("*.py")
)


def requirements(text: str) -> list[str]:
    """The requirements of a lock, each one line with its hashes."""
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def pinned(lock: str) -> dict[tuple[str, str], str]:
    """Versions by name and marker: a package may be there twice, for different systems."""
    found: dict[tuple[str, str], str] = {}
    for line in requirements((ROOT / lock).read_text()):
        requirement = Requirement(line.partition(" --hash")[0])
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), line
        found[canonicalize_name(requirement.name), str(requirement.marker)] = str(
            requirement.specifier
        ).removeprefix("==")
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_has_its_hashes(lock: str) -> None:
    lines = requirements((ROOT / lock).read_text())
    assert lines
    for line in lines:
        assert re.fullmatch(r"[^ ]+==[^ ]+( ; .+?)?( --hash=sha256:[0-9a-f]{64})+", line), line


@pytest.mark.parametrize("file", [*LOCKS, "Dockerfile", "docker-compose.yml", "Makefile"])
def test_no_package_index_is_named(file: str) -> None:
    text = (ROOT / file).read_text()
    addresses = re.findall(r"https?://(?!127\.0\.0\.1|localhost)\S*", text)
    options = re.findall(r"--(?:extra-)?index-url|--find-links|--trusted-host|UV_INDEX\w*", text)
    assert addresses + options == []


def test_both_locks_agree() -> None:
    development = {(name, version) for (name, _), version in pinned(DEVELOPMENT).items()}
    serving = {(name, version) for (name, _), version in pinned(SERVING).items()}
    assert serving <= development


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        (SERVING, PROJECT["dependencies"]),
        (
            DEVELOPMENT,
            [name for extra in PROJECT["optional-dependencies"].values() for name in extra],
        ),
    ],
    ids=LOCKS,
)
def test_a_lock_holds_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    versions = {name: version for (name, _), version in pinned(lock).items()}
    for requirement in map(Requirement, wanted):
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier


@pytest.mark.parametrize("path", SERVED)
def test_what_serves_needs_the_serving_lock_only(path: str) -> None:
    distributions = packages_distributions()
    locked = {name for name, _ in pinned(SERVING)}
    for use in imported(path, (ROOT / path).read_text()):
        if use.top not in sys.stdlib_module_names | {"vae", "app"}:
            found = {canonicalize_name(name) for name in distributions[use.top]}
            assert found & locked, f"{path}:{use.line}: {use.top}"


def test_the_image_and_make_install_with_the_same_uv() -> None:
    files = [(ROOT / name).read_text() for name in ("Dockerfile", "Makefile")]
    assert len({tuple(re.findall(r"uv==([\d.]+)", text)) for text in files}) == 1


def test_the_lock_of_the_page_has_hashes_and_no_addresses() -> None:
    lock = json.loads((ROOT / "playground/package-lock.json").read_text())
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert packages
    for path, package in packages.items():
        assert package["integrity"].startswith("sha512-"), path
        assert "resolved" not in package, path


def test_the_page_pins_its_packages() -> None:
    package = json.loads((ROOT / "playground/package.json").read_text())
    for name, version in package["devDependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name

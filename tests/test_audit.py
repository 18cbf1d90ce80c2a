"""The audit of dependencies: its output and exit status for each output of pip-audit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "b was not found"}
BAD = {
    "name": "c",
    "version": "2",
    "vulns": [
        {"id": "V-1", "fix_versions": ["3", "4"], "aliases": [], "description": ""},
        {"id": "V-2", "fix_versions": [], "aliases": [], "description": ""},
    ],
}


def audited(tmp_path: Path, stdout: str, stderr: str = "") -> tuple[int, list[str]]:
    """The exit status and the lines of an audit whose tool prints this."""
    tool = tmp_path / "tool.py"
    tool.write_text(f"import sys; print({stdout!r}); sys.exit({stderr!r} or 0)")
    command = [sys.executable, ".ci/audit.py", sys.executable, str(tool)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize(
    ("packages", "status", "last"),
    [
        ([CLEAN], 0, "audit: 1 of 1 packages were audited, 0 known vulnerabilities"),
        ([CLEAN, SKIPPED], 0, "audit: 1 of 2 packages were audited, 0 known vulnerabilities"),
        ([SKIPPED, SKIPPED], 0, "audit: NOTHING was audited: b was not found"),
        ([], 0, "audit: NOTHING was audited: there are no packages"),
        ([CLEAN, BAD], 1, "audit: 2 of 2 packages were audited, 2 known vulnerabilities"),
    ],
)
def test_an_audit_says_what_it_looked_at(
    tmp_path: Path, packages: list[dict[str, Any]], status: int, last: str
) -> None:
    found, lines = audited(tmp_path, json.dumps({"dependencies": packages, "fixes": []}))
    assert (found, lines[-1]) == (status, last)


def test_vulnerabilities_are_named(tmp_path: Path) -> None:
    _, lines = audited(tmp_path, json.dumps({"dependencies": [BAD]}))
    assert lines[:2] == ["audit: c 2: V-1, fixed in 3, 4", "audit: c 2: V-2, fixed in no version"]


def test_no_way_to_a_source_is_no_failure_and_is_said(tmp_path: Path) -> None:
    status, [line] = audited(tmp_path, "", "requests.exceptions.ConnectionError: no route")
    assert status == 0
    assert line.startswith("audit: NOTHING was audited, no source of advisories is reachable")


@pytest.mark.parametrize("stdout", ["", "{}", "[]", "not json"])
def test_another_failure_is_one(tmp_path: Path, stdout: str) -> None:
    status, [line] = audited(tmp_path, stdout, "invalid requirements input")
    assert status == 1
    assert line == "audit: failed: invalid requirements input"


def test_what_serves_is_audited() -> None:
    make = ["make", "-n", "-o", ".venv/dev.stamp", "check"]
    printed = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    [line] = [line for line in printed.splitlines() if "pip-audit" in line]
    assert ".ci/audit.py" in line
    assert "-r requirements.lock" in line
    assert any("bandit" in line for line in printed.splitlines())

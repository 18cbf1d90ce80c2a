"""Files and functions stay short: a long one usually has a second job."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = (
    "vae",
    "app",
    "training",
    "client/lorgnette_client",
    "benchmarks",
    "examples",
    "tests",
    "docs",
    ".ci",
)
FILES = sorted(
    file.relative_to(ROOT).as_posix()
    for folder in FOLDERS
    for file in (ROOT / folder).rglob("*.py")
)
PAGE_FILES = sorted(
    file.relative_to(ROOT).as_posix()
    for pattern in ("src/**/*.ts*", "src/**/*.css", "tests/*.ts", "build.mjs")
    for file in (ROOT / "playground").glob(pattern)
    if file.name != "schema.d.ts"  # generated
)
MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 50


@pytest.mark.parametrize("path", FILES)
def test_files_and_functions_stay_short(path: str) -> None:
    source = (ROOT / path).read_text()
    long = [
        f"{node.name}: {length} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert long == []
    assert len(source.splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", PAGE_FILES)
def test_files_of_the_page_stay_short(path: str) -> None:
    assert len((ROOT / path).read_text().splitlines()) <= MAX_FILE_LINES

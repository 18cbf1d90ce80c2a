"""Every command of the README works as printed, and what it names is there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.reader import ROOT, Reader, blocks, copy_tree

README = ROOT / "README.md"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(copy_tree(tmp_path / "checkout"))
    yield reader
    reader.close()


@pytest.mark.timeout(900)
def test_every_block_works_as_pasted(reader: Reader) -> None:
    pasted = [block for block in blocks(README) if block.language == "sh"]
    assert len(pasted) >= 3
    for block in pasted:
        if block.text.strip() in ("make test", "make check"):  # which is what is running this
            reader.check_target(block)
        else:
            reader.paste(block)
    for name, columns in {"24": 1, "i": 8, "g": 1, "e": 1}.items():
        with Image.open(reader.folder / f"{name}.png") as image:
            assert image.size == (256 * columns, 256)
            assert sum(map(bool, image.convert("L").histogram())) > 50
    served = httpx.get(f"http://localhost:{reader.ports['8000']}/models").json()["models"]
    assert [model["name"] for model in served] == ["faces"]


def test_every_file_it_names_is_there() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text())
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_every_guide_is_named() -> None:
    text = README.read_text()
    for folder in ("tutorials", "guides", "explanations"):
        for page in (ROOT / "docs" / folder).glob("*.md"):
            assert f"](docs/{folder}/{page.name})" in text, page


def test_its_figures_are_those_of_the_card() -> None:
    card = (ROOT / "models" / "faces" / "README.md").read_text()
    for detail in (0, 1):
        [row] = re.findall(rf"^\| this model, `detail` {detail} \|(.+)\|$", card, re.MULTILINE)
        cells = [cell.strip() for cell in row.split("|")]
        shown = " | ".join(cells[column] for column in (1, 6, 7, 9, 10, 11))
        assert f"| `detail` {detail} | {shown} |" in README.read_text()


def test_every_endpoint_is_in_the_table_of_requests() -> None:
    text = (ROOT / "docs" / "reference" / "http.md").read_text()
    paths = json.loads((ROOT / "openapi.json").read_text())["paths"]
    assert paths
    for path in paths:
        assert f"{path}`" in text, path

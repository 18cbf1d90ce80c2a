"""Every command of the pages in docs works as printed."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.app.processes import running
from tests.docs.pages import DOCS, PAGES
from tests.reader import Block, Reader, blocks, copy_tree

RUN = ("sh", "python")
WRITTEN = re.compile(r"> (\S+\.(?:png|jpg|zip))")
WITH_BLOCKS = [
    page for page in PAGES if any(block.language in RUN for block in blocks(DOCS / page))
]
NOT_RUN = re.compile(r"<!-- not run: \S.* -->\n```console\n")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_tree(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def port(checkout: Path) -> Iterator[int]:
    """Of the service that all pages share."""
    with running(cwd=checkout, MODELS="models/faces,models/avatars") as (_, client):
        yield client.base_url.port or 0


@pytest.fixture
def reader(checkout: Path, port: int) -> Iterator[Reader]:
    reader = Reader(checkout, port)
    yield reader
    reader.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", WITH_BLOCKS)
def test_every_block_works_as_pasted(page: str, reader: Reader) -> None:
    for block in blocks(DOCS / page):
        if block.language in RUN:
            reader.paste(block)
            for name in written(block):
                check_file(reader.folder / name)


def written(block: Block) -> list[str]:
    return [name for name in WRITTEN.findall(block.text) if "$" not in name]


def check_file(file: Path) -> None:
    """An image that is not empty, or an archive of such; an error message is neither."""
    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            assert archive.namelist()
    else:
        with Image.open(file) as image:
            assert np.asarray(image.convert("L")).std() > 5


def test_every_tutorial_has_blocks() -> None:
    tutorials = {page for page in PAGES if page.startswith("tutorials/")}
    assert len(tutorials) >= 4
    assert tutorials <= set(WITH_BLOCKS)


@pytest.mark.parametrize("page", PAGES)
def test_a_block_that_does_not_run_says_why(page: str) -> None:
    text = (DOCS / page).read_text()
    assert len(NOT_RUN.findall(text)) == text.count("```console\n")


def test_the_shop_has_60_lines() -> None:
    [shop] = [block for block in blocks(DOCS / "tutorials/shop.md") if block.title == "shop.py"]
    assert len(shop.text.splitlines()) <= 60

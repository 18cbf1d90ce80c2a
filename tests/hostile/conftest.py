from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import tiny_checkpoint
from tests.hostile.server import Server, serving
from vae.checkpoint import save


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "tiny"
    folder.mkdir()
    save(tiny_checkpoint(0), folder / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def server(model: Path) -> Iterator[Server]:
    database = f"sqlite:///{model}/directions.sqlite3"
    with serving(model, REQUEST_TIMEOUT_SECONDS="120", DIRECTIONS_DATABASE=database) as server:
        yield server

from pathlib import Path

import pytest

from tests.vae.checkpoints import some_checkpoint
from vae.checkpoint import save


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save(some_checkpoint(), path)
    return path

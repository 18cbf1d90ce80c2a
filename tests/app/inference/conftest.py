from collections.abc import Iterator

import pytest
import torch

from app.inference.runners import EagerRunner
from tests.app.conftest import tiny_checkpoint
from tests.app.inference.runners import CPU


@pytest.fixture
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture
def reference() -> EagerRunner:
    return EagerRunner(tiny_checkpoint(0).model, CPU, torch.float32)

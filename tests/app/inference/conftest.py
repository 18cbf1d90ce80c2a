from collections.abc import Iterator

import pytest
import torch

from app.inference.runners import EagerRunner
from tests.app.conftest import DIM, SIZE, tiny_checkpoint
from tests.app.inference.runners import CPU
from vae.config import VAEConfig
from vae.model import VAE


@pytest.fixture
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture
def detailed() -> VAE:
    """A model with a detail branch no weight of which is zero."""
    torch.manual_seed(0)
    model = VAE(VAEConfig(size=SIZE, latent_dim=DIM, widths=(8, 16), detail_channels=4)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.1)
    return model


@pytest.fixture
def reference() -> EagerRunner:
    return EagerRunner(tiny_checkpoint(0).model, CPU, torch.float32)

"""Averages of detail branches."""

from dataclasses import replace

import pytest
import torch

from tests.training.fit.adversarial_runs import DIM, start
from training.analysis.detail_average import average_detail
from vae.checkpoint import Checkpoint
from vae.model import VAE


def sharp(seed: int, base: int = 0) -> Checkpoint:
    checkpoint = start(base)
    model = VAE(replace(checkpoint.model.config, detail_channels=4)).eval()
    torch.manual_seed(seed)
    branch = {
        key: torch.randn_like(value)
        for key, value in model.state_dict().items()
        if key.startswith("detail.")
    }
    model.load_state_dict({**checkpoint.model.state_dict(), **branch})
    return replace(checkpoint, model=model)


def residual(checkpoint: Checkpoint, features: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return checkpoint.model.detail_residual(features)


def test_the_weights_are_the_mean() -> None:
    one, two = sharp(1), sharp(2)
    average = average_detail([one, two]).model.state_dict()
    for key, value in one.model.state_dict().items():
        expected = (value + two.model.state_dict()[key]) / 2
        torch.testing.assert_close(average[key], expected)


def test_the_gain_multiplies_what_the_branch_adds() -> None:
    one = sharp(1)
    features = one.model.split_decoder()[0](torch.randn(2, DIM))
    torch.testing.assert_close(
        residual(average_detail([one], gain=1.5), features),
        1.5 * residual(one, features),
        rtol=1e-3,
        atol=1e-2,
    )


def test_everything_else_is_the_first_checkpoints() -> None:
    one = sharp(1)
    average = average_detail([one, sharp(2)])
    assert average.directions is one.directions
    for part in ("encoder", "decoder"):
        a, b = (getattr(c.model, part).state_dict() for c in (one, average))
        assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("other", [sharp(2, base=1), start()])
def test_another_model_is_refused(other: Checkpoint) -> None:
    with pytest.raises(ValueError, match=r"differ in more|no detail branch"):
        average_detail([sharp(1), other])

import re

import pytest
import torch
from torch import nn

from vae import networks
from vae.config import VAEConfig
from vae.model import VAE

DOCUMENTED = {
    "mlp": VAEConfig(family="mlp", channels=1, size=28, latent_dim=20, hidden=400),
    "conv28": VAEConfig(family="conv28", channels=1, size=28, latent_dim=2),
    "tutorial": VAEConfig(family="tutorial", latent_dim=100),
    "residual": VAEConfig(),
}


def docstring(family: str) -> str:
    return " ".join((getattr(networks, family).__doc__ or "").split())


@pytest.mark.parametrize("family", DOCUMENTED)
def test_docstring_states_the_parameter_count(family: str) -> None:
    with torch.device("meta"):
        count = networks.parameter_count(VAE(DOCUMENTED[family]))
    stated = re.findall(r"([\d,]+) parameters", docstring(family))
    assert stated == [f"{count:,}"]


def test_residual_docstring_counts_the_default_config() -> None:
    config = VAEConfig()
    widths = ", ".join(map(str, config.widths))
    assert config.blocks == 1
    assert (
        f"at {config.channels}x{config.size}x{config.size} with {config.latent_dim} latents, "
        f"patch {config.patch}, widths {widths} and one block a level"
    ) in docstring("residual")


@pytest.mark.parametrize(("channels", "latent"), [(1, 7), (3, 1)])
@pytest.mark.parametrize("size", range(32, 257, 32))
def test_residual_networks_keep_the_image_size(size: int, channels: int, latent: int) -> None:
    encoder, decoder = networks.residual(channels, size, latent, 4, (2, 3, 4, 5), blocks=1)
    with torch.no_grad():
        output = encoder(torch.rand(2, channels, size, size))
        image = decoder(torch.randn(2, latent))
    assert output.shape == (2, 2 * latent)
    assert image.shape == (2, channels, size, size)


@pytest.mark.parametrize("size", [1, 2, 15, 255, 256])
def test_mlp_takes_any_size(size: int) -> None:
    encoder, decoder = networks.mlp(size**2, 2, 3)
    assert encoder(torch.rand(2, 1, size, size)).shape == (2, 6)
    assert decoder(torch.randn(2, 3)).shape == (2, 1, size, size)


def test_new_residual_block_is_the_identity_and_can_learn() -> None:
    block = networks.ResidualBlock(3)
    x = torch.randn(2, 3, 5, 5)
    assert torch.equal(block(x), x)
    (gradient,) = torch.autograd.grad(block(x).square().sum(), block.second.weight)
    assert gradient.any()


def test_a_residual_output_never_depends_on_its_batch_in_training_either() -> None:
    torch.manual_seed(0)
    encoder, decoder = networks.residual(3, 32, 4, 4, (4, 6), blocks=1)
    for network, batch in ((encoder, torch.rand(3, 3, 32, 32)), (decoder, torch.randn(3, 4))):
        for weight in network.train().parameters():
            torch.nn.init.normal_(weight, std=0.1)
        torch.testing.assert_close(network(batch[:1]), network(batch)[:1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("channels", "patch"), [(3, 8), (1, 4), (5, 1)])
def test_space_to_depth_is_pixel_unshuffle(
    channels: int, patch: int, layout: torch.memory_format
) -> None:
    x = torch.rand(2, channels, 16, 24).contiguous(memory_format=layout).requires_grad_()
    found, expected = networks.SpaceToDepth(patch)(x), nn.PixelUnshuffle(patch)(x)
    assert torch.equal(found, expected)
    (gradient,) = torch.autograd.grad((found**2).sum(), x)
    assert torch.equal(gradient, 2 * x)

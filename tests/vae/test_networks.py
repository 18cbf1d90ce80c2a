import re

import pytest
import torch

from vae import networks
from vae.model import VAE, VAEConfig

DOCUMENTED = {
    "mlp": VAEConfig(family="mlp", channels=1, size=28, latent_dim=20, hidden=400),
    "conv28": VAEConfig(family="conv28", channels=1, size=28, latent_dim=2),
    "book": VAEConfig(family="book", latent_dim=100),
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


@pytest.mark.parametrize("latent", [1, 7])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", range(32, 257, 32))
def test_residual_decoder_answers_at_the_encoders_size(
    size: int, channels: int, latent: int
) -> None:
    encoder, decoder = networks.residual(channels, size, latent, 4, (2, 3, 4, 5), blocks=1)
    with torch.no_grad():
        code = encoder(torch.rand(2, channels, size, size))
        picture = decoder(torch.randn(2, latent))
    assert code.shape == (2, 2 * latent)
    assert picture.shape == (2, channels, size, size)


@pytest.mark.parametrize("size", [1, 2, 15, 255, 256])
def test_mlp_takes_any_size(size: int) -> None:
    encoder, decoder = networks.mlp(size**2, 2, 3)
    assert encoder(torch.rand(2, 1, size, size)).shape == (2, 6)
    assert decoder(torch.randn(2, 3)).shape == (2, 1, size, size)


def test_new_residual_block_is_the_identity_and_can_learn() -> None:
    block = networks.ResidualBlock(3)
    x = torch.randn(2, 3, 5, 5)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.second.weight.grad is not None
    assert block.second.weight.grad.abs().max() > 0


@pytest.mark.parametrize("training", [True, False])
def test_residual_picture_never_depends_on_its_batch(training: bool) -> None:
    torch.manual_seed(0)
    for network in networks.residual(3, 32, 3, 4, (4, 6), blocks=1):
        for weight in network.train(training).parameters():
            torch.nn.init.normal_(weight, std=0.2)
        x = torch.rand(4, 3, 32, 32) if network[0].__class__.__name__ == "PixelUnshuffle" else 0
        assert x is not None

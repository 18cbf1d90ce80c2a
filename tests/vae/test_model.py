import json
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vae.config import Family, VAEConfig
from vae.model import VAE

CONFIGS: dict[Family, VAEConfig] = {
    "mlp": VAEConfig(family="mlp", channels=1, size=9, latent_dim=5, hidden=16, output="sigmoid"),
    "conv28": VAEConfig(family="conv28", channels=1, size=28, latent_dim=3, output="sigmoid"),
    "tutorial": VAEConfig(family="tutorial", latent_dim=5),
    "residual": VAEConfig(size=32, latent_dim=7, widths=(4, 6), blocks=1),
}
each_family = pytest.mark.parametrize("family", CONFIGS)


@cache
def trained(family: Family) -> VAE:
    """A model with no zero weights and, where it has any, batch statistics of its own."""
    torch.manual_seed(0)
    model = VAE(CONFIGS[family]).train()
    with torch.no_grad():
        for block in model.modules():
            if isinstance(block, nn.Conv2d):
                block.weight.add_(0.1 * torch.randn_like(block.weight))
        model.decoder(torch.randn(4, model.config.latent_dim))
        model.encoder(torch.rand(4, *model.config.shape))
    return model.eval()


def images(model: VAE, count: int) -> Tensor:
    return torch.rand(count, *model.config.shape, generator=torch.Generator().manual_seed(1))


def latents(model: VAE, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(count, model.config.latent_dim, generator=generator)


def last_linear(model: VAE) -> nn.Linear:
    return [m for m in model.encoder.modules() if isinstance(m, nn.Linear)][-1]


@each_family
@torch.inference_mode()
def test_shapes_and_range(family: Family) -> None:
    model = trained(family)
    posterior = model.encode(images(model, 2))
    assert posterior.mean.shape == posterior.logvar.shape == (2, model.config.latent_dim)
    decoded = model.decode(100.0 * latents(model, 2))
    assert decoded.shape == (2, *model.config.shape)
    assert decoded.min() >= 0.0
    assert decoded.max() <= 1.0
    assert decoded.max() > decoded.min()


@each_family
@torch.inference_mode()
def test_an_output_depends_on_its_own_input_alone(family: Family) -> None:
    model = trained(family)
    x, z = images(model, 3), latents(model, 3)

    def encode(x: Tensor) -> Tensor:
        return torch.cat([model.encode(x).mean, model.encode(x).logvar], dim=1)

    for function, batch in ((encode, x), (model.decode, z)):
        outputs = function(batch)
        assert torch.equal(function(batch), outputs)
        for i, output in enumerate(outputs):
            alone = function(batch[i : i + 1])[0]
            torch.testing.assert_close(alone, output, atol=1e-5, rtol=0)
            assert (output - outputs[i - 1]).abs().max() > 1e-3


@each_family
@torch.no_grad()
def test_the_copy_for_inference_computes_the_same(family: Family) -> None:
    model = trained(family)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fast = model.for_inference()
    x, z = images(model, 3), latents(model, 3)
    torch.testing.assert_close(fast.encode(x).mean, model.encode(x).mean)
    torch.testing.assert_close(fast.encode(x).logvar, model.encode(x).logvar)
    torch.testing.assert_close(fast.decode(z), model.decode(z))
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


@each_family
@torch.inference_mode()
def test_eval_mode_draws_no_random_numbers_and_changes_no_state(family: Family) -> None:
    model = trained(family)
    state = {k: v.clone() for k, v in model.state_dict().items() if v.numel() < 1000}
    random = torch.get_rng_state()
    model.encode(images(model, 2))
    model.decode(latents(model, 2))
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(model.state_dict()[k], v) for k, v in state.items())


@pytest.mark.parametrize("family", ["mlp", "conv28", "residual"])
def test_a_new_model_is_on_the_cpu_even_with_a_gpu(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    model = VAE(CONFIGS[family])
    assert {t.device.type for t in model.state_dict().values()} == {"cpu"}
    posterior = model.encode(images(model, 1))
    assert model.decode(posterior.sample()).device.type == "cpu"


@each_family
@torch.inference_mode()
def test_encoder_returns_the_mean_first_then_the_log_variance(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained(family)
    last, dim = last_linear(model), model.config.latent_dim
    bias = torch.cat([torch.full((dim,), 3.0), torch.full((dim,), -2.0)])
    monkeypatch.setattr(last, "weight", nn.Parameter(torch.zeros_like(last.weight)))
    monkeypatch.setattr(last, "bias", nn.Parameter(bias))
    posterior = model.encode(images(model, 1))
    assert posterior.mean.tolist() == [[3.0] * dim]
    assert posterior.logvar.tolist() == [[-2.0] * dim]


@pytest.mark.parametrize("extreme", [1e30, -1e30])
def test_kl_is_finite_whatever_the_encoder_says_of_variance(extreme: float) -> None:
    model = VAE(CONFIGS["mlp"])
    with torch.no_grad():
        last_linear(model).bias[model.config.latent_dim :] = extreme
    posterior = model.encode(images(model, 1))
    assert posterior.kl().isfinite().all()
    assert posterior.sample().isfinite().all()


@each_family
def test_wrong_shapes_are_refused_with_both_shapes(family: Family) -> None:
    model = trained(family)
    channels, size, _ = model.config.shape
    with pytest.raises(ValueError, match=rf"\({channels}, {size}, {size + 1}\).*{size}, {size}\)"):
        model.encode(torch.rand(1, channels, size, size + 1))
    dim = model.config.latent_dim
    with pytest.raises(ValueError, match=rf"\({dim + 1},\), not \({dim},\)"):
        model.decode(torch.randn(1, dim + 1))


@pytest.mark.parametrize(
    ("output", "expected"), [("clamp", [0.0, 0.25, 1.0]), ("sigmoid", [0.0474, 0.4378, 0.9526])]
)
def test_output_turns_logits_into_pixels(output: Any, expected: list[float]) -> None:
    model = VAE(replace(CONFIGS["mlp"], output=output))
    logits = torch.tensor([-3.0, -0.25, 3.0])
    torch.testing.assert_close(
        model.pixels(logits).clamp(0, 1), torch.tensor(expected), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("output", ["clamp", "sigmoid"])
def test_pixels_have_a_gradient_outside_the_range_too(output: Any) -> None:
    model = VAE(replace(CONFIGS["mlp"], output=output))
    logits = torch.tensor([-3.0, 3.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(model.pixels(logits).sum(), logits)
    assert (gradient > 0.01).all()


@pytest.mark.parametrize("family", ["mlp", "conv28", "residual"])
def test_every_weight_learns(family: Family) -> None:
    model = VAE(CONFIGS[family])
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.add_(0.05)
    posterior = model.encode(images(model, 2))
    logits = model.decode_logits(posterior.sample())
    names, weights = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(logits.square().sum() + posterior.kl().sum(), weights)
    assert [name for name, g in zip(names, gradients, strict=True) if not g.any()] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"family": "vqvae"}, "family is 'vqvae'; choose from .*'residual'"),
        ({"family": ["mlp"]}, "family is"),
        ({"output": "tanh"}, "output is 'tanh'; choose from .*'clamp'"),
        ({"channels": 4}, "channels is 4; it must be 1 .* or 3"),
        ({"channels": 3.0}, "whole numbers"),
        ({"channels": True}, "whole numbers"),
        ({"size": "256"}, "whole numbers"),
        ({"latent_dim": 12.5}, "whole numbers"),
        ({"widths": [32, None]}, "whole numbers"),
        ({"widths": []}, "widths must be between 1 and"),
        ({"widths": [32, 0]}, "widths must be between 1 and"),
        ({"latent_dim": 0}, "latent_dim.* must be between 1 and"),
        ({"hidden": 0}, "hidden.* must be between 1 and"),
        ({"blocks": -1}, "blocks is -1"),
        ({"blocks": 10**9}, "must be between 0 and 16"),
        ({"size": 33}, "size is 33; it must be a multiple of 32 between 32 and 256"),
        ({"size": 0}, "size is 0; it must be a multiple of 32"),
        ({"size": 288}, "size is 288; it must be a multiple of 32"),
        ({"size": 96, "patch": 5}, "patch 5 and 4 levels do not divide size 96"),
        ({"size": 32, "patch": 8}, "patch 8 and 4 levels do not divide size 32"),
        ({"patch": 0}, "patch 0"),
        (
            {"family": "conv28", "channels": 1, "size": 32},
            "'conv28' takes 1 x 28 x 28 images, not 1 x 32 x 32",
        ),
        ({"family": "conv28", "channels": 3, "size": 28}, "'conv28' takes 1 x 28 x 28"),
        ({"family": "tutorial", "size": 128}, "'tutorial' takes 3 x 256 x 256 images, not 3 x 128"),
        ({"family": "mlp", "channels": 3, "size": 28}, "'mlp' takes 1 x 28 x 28"),
        ({"family": "mlp", "channels": 1, "size": 257}, "size is 257; .* between 1 and 256"),
        ({"dropout": 0.1, "act": "relu"}, r"unknown fields \['act', 'dropout'\]"),
    ],
    ids=str,
)
def test_config_that_cannot_be_built_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VAEConfig.from_dict(values)


@pytest.mark.parametrize("config", [*CONFIGS.values(), VAEConfig()], ids=lambda c: c.family)
def test_config_is_the_same_after_json(config: VAEConfig) -> None:
    back = VAEConfig.from_dict(json.loads(json.dumps(asdict(config))))
    assert back == config
    assert hash(back) == hash(config)


def test_the_tutorial_family_is_read_by_its_old_name() -> None:
    config = VAEConfig.from_dict({"family": "book", "latent_dim": 100})
    assert config == VAEConfig("tutorial", latent_dim=100)
    with pytest.raises(ValueError, match="family is 'book'"):
        VAEConfig("book")  # type: ignore[arg-type]


def test_config_shape() -> None:
    assert VAEConfig(channels=1, size=64).shape == (1, 64, 64)
    assert VAEConfig.from_dict({}) == VAEConfig()

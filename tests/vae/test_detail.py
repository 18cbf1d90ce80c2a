from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vae import checkpoint
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.detail import DetailBranch
from vae.model import VAE
from vae.networks import parameter_count
from vae.prior import LatentStatistics

PLAIN = VAEConfig(size=64, latent_dim=5, patch=4, widths=(8, 12, 16), blocks=2)
CONFIG = replace(PLAIN, detail_channels=6)


def plain_and_detailed() -> tuple[VAE, VAE]:
    """A model, and the same with a branch no weight of which is zero."""
    torch.manual_seed(0)
    plain, detailed = VAE(PLAIN).eval(), VAE(CONFIG).eval()
    assert detailed.detail is not None
    with torch.no_grad():
        for parameter in (*plain.parameters(), *detailed.detail.parameters()):
            parameter.add_(0.05 * torch.randn_like(parameter))
    missing, surplus = detailed.load_state_dict(plain.state_dict(), strict=False)
    assert surplus == []
    assert all(name.startswith("detail.") for name in missing)
    return plain, detailed


def latents(count: int) -> Tensor:
    return torch.randn(count, CONFIG.latent_dim, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_without_detail_it_draws_what_the_plain_model_draws_to_the_last_bit() -> None:
    plain, detailed = plain_and_detailed()
    z = latents(3)
    expected = plain.decode(z)
    assert detailed.decode(z).equal(expected)
    assert detailed.decode_with_detail(z, torch.zeros(3)).equal(expected)
    assert detailed.decode_with_detail(z, torch.tensor([0.0, 1.0, 0.0]))[::2].equal(expected[::2])


@torch.inference_mode()
def test_detail_blends_from_the_plain_image_to_the_sharp_one() -> None:
    _, model = plain_and_detailed()
    z = latents(2)
    trunk, head = model.split_decoder()
    features = trunk(z)
    logits = head(features)
    assert logits.equal(model.decode_logits(z))
    residual = model.detail_residual(features)
    assert residual.abs().min(1).values.max() > 1e-3
    for share in (0.25, 1.0):
        expected = (model.pixels(logits) + share * residual).clamp(0, 1)
        torch.testing.assert_close(model.decode_with_detail(z, torch.full((2,), share)), expected)


@torch.inference_mode()
def test_every_row_has_its_own_detail() -> None:
    _, model = plain_and_detailed()
    z, detail = latents(4), torch.tensor([1.0, 0.0, 0.3, 0.7])
    together = model.decode_with_detail(z, detail)
    alone = [model.decode_with_detail(z[i : i + 1], detail[i : i + 1])[0] for i in range(4)]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-6, rtol=0)


def test_the_branch_runs_on_no_row_without_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    _, model = plain_and_detailed()
    counts: list[int] = []
    forward = DetailBranch.forward

    def counted(self: DetailBranch, features: Tensor) -> Tensor:
        counts.append(len(features))
        return forward(self, features)

    monkeypatch.setattr(DetailBranch, "forward", counted)
    model.decode(latents(3))
    model.decode_with_detail(latents(3), torch.zeros(3))
    model.decode_with_detail(latents(3), torch.tensor([0.0, 0.5, 0.0]))
    assert counts == [1]


@torch.inference_mode()
def test_a_new_branch_adds_nothing() -> None:
    torch.manual_seed(0)
    model = VAE(CONFIG).eval()
    z = latents(2)
    assert model.decode_with_detail(z, torch.ones(2)).equal(model.decode(z))


def test_every_weight_of_the_branch_learns() -> None:
    _, model = plain_and_detailed()
    assert model.detail is not None
    features = model.split_decoder()[0](latents(2))
    names, weights = zip(*model.detail.named_parameters(), strict=True)
    gradients = torch.autograd.grad(model.detail_residual(features).square().sum(), weights)
    assert [name for name, g in zip(names, gradients, strict=True) if not g.any()] == []


@torch.no_grad()
def test_the_copy_for_inference_computes_the_same() -> None:
    _, model = plain_and_detailed()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fast = model.for_inference().to(memory_format=torch.channels_last)
    z, detail = latents(3), torch.tensor([0.5, 0.0, 1.0])
    torch.testing.assert_close(
        fast.decode_with_detail(z, detail), model.decode_with_detail(z, detail)
    )
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


def test_a_model_without_a_branch_refuses_detail() -> None:
    plain, _ = plain_and_detailed()
    with pytest.raises(ValueError, match="no detail branch"):
        plain.decode_with_detail(latents(1), torch.ones(1))
    assert plain.decode_with_detail(latents(1), torch.zeros(1)).equal(plain.decode(latents(1)))


@pytest.mark.parametrize(
    "values",
    [
        {"detail_channels": -1},
        {"detail_channels": 1.5},
        {"detail_channels": True},
        {"detail_channels": 10**6},
        {"detail_channels": 8, "patch": 1},
        {"detail_channels": 8, "family": "book"},
    ],
    ids=str,
)
def test_a_branch_that_cannot_be_built_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"detail|whole numbers"):
        VAEConfig.from_dict(values)


def test_parameters_of_the_branch_for_faces() -> None:
    assert parameter_count(DetailBranch(3, 8, 64, 48)) == 214_704


@torch.inference_mode()
def test_a_checkpoint_keeps_the_branch(tmp_path: Path) -> None:
    plain, detailed = plain_and_detailed()
    dim = CONFIG.latent_dim
    statistics = LatentStatistics(torch.zeros(dim), torch.eye(dim))
    file = tmp_path / "model.safetensors"
    checkpoint.save(Checkpoint(detailed, statistics), file)
    found = checkpoint.load(file).model
    assert found.config == CONFIG
    z, detail = latents(2), torch.tensor([1.0, 0.4])
    assert found.decode_with_detail(z, detail).equal(detailed.decode_with_detail(z, detail))
    checkpoint.save(Checkpoint(plain, statistics), file)
    assert checkpoint.load(file).model.detail is None


def test_a_checkpoint_from_before_there_were_branches_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = plain_and_detailed()
    dim = CONFIG.latent_dim
    file = tmp_path / "model.safetensors"

    def of_old(config: Any) -> dict[str, Any]:
        return {k: v for k, v in asdict(config).items() if k != "detail_channels"}

    monkeypatch.setattr(checkpoint, "asdict", of_old)
    checkpoint.save(Checkpoint(plain, LatentStatistics(torch.zeros(dim), torch.eye(dim))), file)
    assert b"detail_channels" not in file.read_bytes()
    assert checkpoint.load(file).model.config == PLAIN

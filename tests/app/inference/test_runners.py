import pytest
import torch

from app.inference.cuda_graphs import batch_sizes
from app.inference.runner_selection import matches_reference
from app.inference.runners import MAX_ABS_LATENT, EagerRunner, RangeGuardedRunner
from app.inference.traced_networks import TracedNetworks
from tests.app.conftest import DIM, SIZE, tiny_checkpoint
from tests.app.inference.runners import CPU, Shifted, decode, on_cuda
from vae.config import VAEConfig
from vae.latent import seeded_noise
from vae.model import VAE

pytestmark = pytest.mark.usefixtures("no_gradients")


def test_half_precision_matches_float32(reference: EagerRunner) -> None:
    half = EagerRunner(tiny_checkpoint(0).model, CPU, torch.float16)
    assert matches_reference(half, reference, DIM, batch_sizes(4))
    mean, logvar = half.encode(decode(half, seeded_noise(range(3), DIM)))
    assert mean.dtype == logvar.dtype == torch.float32


@pytest.mark.parametrize("value", [MAX_ABS_LATENT * 1.01, 7e4, 1e6])
def test_latents_out_of_the_checked_range_run_in_float32(
    reference: EagerRunner, value: float
) -> None:
    selected = on_cuda(reference, capture=lambda runner: runner)
    latents = seeded_noise(range(4), DIM)
    near = decode(selected, latents)
    latents[1, 2] = -value
    images = decode(selected, latents)
    assert torch.equal(images[1:2], decode(reference, latents[1:2]))
    assert (images[2:].int() - near[2:].int()).abs().max() <= 1  # as it was
    far = torch.full((2, DIM), value)
    assert torch.equal(decode(selected, far), decode(reference, far))


def test_what_half_precision_cannot_encode_is_encoded_in_float32(
    reference: EagerRunner,
) -> None:
    images = torch.zeros((2, SIZE, SIZE, 3), dtype=torch.uint8)
    for fast in (
        Shifted(reference, shift=float("nan")),
        Shifted(reference, wider=float("inf")),
    ):
        for actual, exact in zip(
            RangeGuardedRunner(fast, reference).encode(images),
            reference.encode(images),
            strict=True,
        ):
            assert torch.equal(actual, exact)


def test_every_image_keeps_its_detail_where_ranges_are_split(detailed: VAE) -> None:
    reference = EagerRunner(detailed, CPU, torch.float32)
    guarded = RangeGuardedRunner(Shifted(reference), reference, max_abs_latent=3.0)
    latents = seeded_noise(range(4), DIM).clamp(-3, 3)
    latents[1, 0] = latents[2, 0] = 5.0
    detail = torch.tensor([0.0, 1.0, 0.0, 0.5])
    images = reference.decode(latents, detail)
    assert (guarded.decode(latents, detail).int() - images.int()).abs().max() <= 1
    assert not torch.equal(images, reference.decode(latents, torch.zeros(4)))


@pytest.mark.parametrize(
    "config",
    [
        VAEConfig("mlp", channels=1, size=28, latent_dim=DIM),
        VAEConfig("conv28", channels=1, size=28, latent_dim=DIM),
        VAEConfig("tutorial", latent_dim=DIM),
        VAEConfig("residual", size=SIZE, latent_dim=DIM, widths=(8, 16)),
        VAEConfig("residual", size=SIZE, latent_dim=DIM, widths=(8, 16), detail_channels=4),
    ],
    ids=lambda config: f"{config.family}-{config.detail_channels}",
)
def test_traced_networks_give_the_same_results_for_every_batch_size(config: VAEConfig) -> None:
    model = VAE(config).eval()
    reference, traced = (
        EagerRunner(model, CPU, torch.float32, graphs) for graphs in (None, TracedNetworks())
    )
    for count in (1, 5, 2):
        latents = seeded_noise(range(count), DIM)
        detail = model.max_detail * torch.linspace(0, 1, count)
        images = reference.decode(latents, detail)
        assert torch.equal(traced.decode(latents, detail), images)
        for actual, expected in zip(traced.encode(images), reference.encode(images), strict=True):
            assert torch.equal(actual, expected)

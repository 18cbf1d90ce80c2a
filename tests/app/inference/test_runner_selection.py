import logging
import weakref

import pytest
import torch
from torch import Tensor

from app.inference.cuda_graphs import batch_sizes
from app.inference.runner_selection import (
    REDUCED_MAX_ABS_LATENTS,
    matches_reference,
    select_runner,
)
from app.inference.runners import MAX_ABS_LATENT, EagerRunner, RangeGuardedRunner, Runner
from tests.app.conftest import DIM, SIZE
from tests.app.inference.runners import CPU, Shifted, decode, on_cuda
from vae.config import VAEConfig
from vae.latent import seeded_noise
from vae.model import VAE

pytestmark = pytest.mark.usefixtures("no_gradients")


@pytest.fixture
def smooth() -> VAE:
    """A model that bfloat16 decodes well, as it does trained ones; the tiny one has extremes."""
    torch.manual_seed(0)
    return VAE(VAEConfig(size=SIZE, latent_dim=DIM, widths=(8, 16))).eval()


def test_a_runner_with_other_results_does_not_match(reference: EagerRunner) -> None:
    assert matches_reference(Shifted(reference, levels=2), reference, DIM, batch_sizes(4))
    assert not matches_reference(Shifted(reference, levels=3), reference, DIM, batch_sizes(4))
    assert not matches_reference(Shifted(reference, shift=3.0), reference, DIM, batch_sizes(4))
    assert matches_reference(Shifted(reference, wider=0.04), reference, DIM, batch_sizes(4))
    for number in (0.06, float("inf"), float("nan")):
        assert not matches_reference(
            Shifted(reference, wider=number), reference, DIM, batch_sizes(4)
        )


@pytest.mark.parametrize("broken", [1, 2, 4, 6])
def test_a_runner_that_fails_at_one_batch_size_does_not_match(
    reference: EagerRunner, broken: int
) -> None:
    class Faulty(Shifted):
        def decode(self, latents: Tensor, detail: Tensor) -> Tensor:
            self.levels = 9 if len(latents) == broken else 0
            return super().decode(latents, detail)

    assert not matches_reference(Faulty(reference), reference, DIM, batch_sizes(6))


def test_a_runner_that_fails_for_large_latents_does_not_match(reference: EagerRunner) -> None:
    class Overflowing(Shifted):
        def decode(self, latents: Tensor, detail: Tensor) -> Tensor:
            small = torch.where(latents.abs() > MAX_ABS_LATENT / 2, 0.0, latents)
            return self.runner.decode(small, detail)

    assert not matches_reference(Overflowing(reference), reference, DIM, batch_sizes(4))


def test_a_runner_whose_detail_differs_does_not_match(detailed: VAE) -> None:
    class WithoutDetail(Shifted):
        def decode(self, latents: Tensor, detail: Tensor) -> Tensor:
            return super().decode(latents, torch.zeros(len(latents)))

    exact = EagerRunner(detailed, CPU, torch.float32)
    checks = (exact, DIM, batch_sizes(2), 1.0, (0.0, 1.0))
    assert matches_reference(exact, *checks)
    assert not matches_reference(WithoutDetail(exact), *checks)


def test_the_first_candidate_that_matches_is_selected(
    reference: EagerRunner, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("lorgnette"), "propagate", True)
    caplog.set_level(logging.INFO, "lorgnette")
    tried: list[torch.dtype] = []

    def recorded(runner: EagerRunner) -> Runner:
        tried.append(runner.dtype)
        return Shifted(runner)

    def cannot_capture(runner: EagerRunner) -> Runner:
        raise RuntimeError("operation not permitted when stream is capturing")

    half = on_cuda(reference, capture=lambda runner: Shifted(runner))
    assert isinstance(half, RangeGuardedRunner)
    assert isinstance(half.fast, Shifted)
    uncaptured = on_cuda(reference, capture=cannot_capture)
    assert isinstance(uncaptured, RangeGuardedRunner)
    assert isinstance(uncaptured.fast, EagerRunner)
    assert uncaptured.fast.dtype == torch.float16
    assert "not permitted" in caplog.text

    decode_well = EagerRunner.decode
    monkeypatch.setattr(
        EagerRunner,
        "decode",
        lambda self, *z: decode_well(self, *z) // (2 if self.dtype == torch.float16 else 1),
    )
    assert isinstance(on_cuda(reference, capture=recorded), Shifted)
    assert tried == [torch.float16, torch.float32]
    assert "more than 2 grey levels" in caplog.text
    assert on_cuda(reference, capture=cannot_capture) is reference


@pytest.mark.parametrize("instruction", ["avx512_bf16", "amx_bf16"])
def test_a_cpu_with_instructions_for_it_runs_bfloat16(
    smooth: VAE, monkeypatch: pytest.MonkeyPatch, instruction: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {instruction: True})
    reference = EagerRunner(smooth, CPU, torch.float32)
    selected = select_runner(reference, smooth, 8)
    assert isinstance(selected, RangeGuardedRunner)
    assert isinstance(selected.fast, EagerRunner)
    assert selected.fast.dtype == torch.bfloat16
    latents = seeded_noise(range(8), DIM)
    assert (decode(selected, latents).int() - decode(reference, latents).int()).abs().max() <= 2


def test_a_cpu_without_them_runs_float32(smooth: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "amx_bf16": False})
    reference = EagerRunner(smooth, CPU, torch.float32)
    selected = select_runner(reference, smooth, 8)
    assert isinstance(selected, EagerRunner)
    assert selected.dtype == torch.float32
    latents = seeded_noise(range(8), DIM)
    assert torch.equal(decode(selected, latents), decode(reference, latents))


def test_networks_that_cannot_be_traced_run_as_they_are(
    smooth: VAE, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("cannot be traced")

    monkeypatch.setattr(torch.jit, "trace", refuse)
    caplog.set_level(logging.INFO, "lorgnette")
    reference = EagerRunner(smooth, CPU, torch.float32)
    assert select_runner(reference, smooth, 8) is reference
    assert "does not run as torch.float32: cannot be traced" in caplog.text


@pytest.mark.parametrize("limit", REDUCED_MAX_ABS_LATENTS)
def test_bfloat16_is_used_for_the_range_of_latents_in_which_it_matches(
    smooth: VAE, monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    reference, decode_well = EagerRunner(smooth, CPU, torch.float32), EagerRunner.decode

    def coarse(self: EagerRunner, latents: Tensor, detail: Tensor) -> Tensor:
        off = 9 if self.dtype == torch.bfloat16 and bool((latents.abs() > limit).any()) else 0
        return decode_well(reference, latents, detail) ^ off

    monkeypatch.setattr(EagerRunner, "decode", coarse)
    selected = select_runner(reference, smooth, 8)
    assert isinstance(selected, RangeGuardedRunner)
    assert selected.max_abs_latent == limit
    latents = seeded_noise(range(8), DIM)
    latents[0, 0] = -limit * 1.01
    assert torch.equal(decode(selected, latents)[:1], decode(reference, latents[:1]))


def test_a_rejected_runner_is_freed_before_the_next_is_made(reference: EagerRunner) -> None:
    made: list[weakref.ref[Shifted]] = []

    def dark(runner: EagerRunner) -> Runner:
        assert all(earlier() is None for earlier in made)
        shifted = Shifted(runner, levels=9)
        made.append(weakref.ref(shifted))
        return shifted

    on_cuda(reference, capture=dark)
    assert made[0]() is None

import contextlib
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from app.inference.cuda_graphs import CudaGraphRunner, batch_sizes, padded_size
from app.inference.engine import Engine
from app.inference.runner_selection import (
    REDUCED_MAX_ABS_LATENT,
    cuda_candidates,
    matches_reference,
    select_runner,
)
from app.inference.runners import (
    MAX_ABS_LATENT,
    EagerRunner,
    RangeGuardedRunner,
    Runner,
)
from tests.app.conftest import DIM, SIZE, tiny_checkpoint
from vae.latent import seeded_noise
from vae.model import VAE, VAEConfig

CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture
def reference() -> EagerRunner:
    return EagerRunner(tiny_checkpoint(0).model, CPU, torch.float32)


@pytest.fixture
def smooth() -> VAE:
    """A model that bfloat16 decodes well, as it does trained ones; the tiny one has extremes."""
    torch.manual_seed(0)
    return VAE(VAEConfig(size=SIZE, latent_dim=DIM, widths=(8, 16))).eval()


def on_cuda(reference: EagerRunner, capture: Callable[[EagerRunner], Runner]) -> Runner:
    model = tiny_checkpoint(0).model
    return select_runner(reference, model, 4, cuda_candidates(reference, model, 4, capture))


class Shifted:
    """A runner whose images are darker by a few grey levels, or whose posteriors are shifted."""

    def __init__(
        self, runner: Runner, levels: int = 0, shift: float = 0.0, wider: float = 0.0
    ) -> None:
        self.runner, self.levels, self.shift, self.wider = (
            runner,
            levels,
            shift,
            wider,
        )

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.runner.encode(images)
        return mean + self.shift, logvar + self.wider

    def decode(self, latents: Tensor) -> Tensor:
        return (self.runner.decode(latents).int() - self.levels).clamp(0, 255).to(torch.uint8)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Graphs on the CPU, whose outputs stay those of the capture.

    ``replay`` is called by every replay and may be set; ``captures`` has the arguments of each.
    """
    cpu = SimpleNamespace(replay=lambda: None, captures=[])

    def graph(_: object, **options: object) -> contextlib.nullcontext[None]:
        cpu.captures.append(options)
        return contextlib.nullcontext()

    stream = SimpleNamespace(wait_stream=lambda _: None, synchronize=lambda: None)
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    monkeypatch.setattr(
        torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: cpu.replay())
    )
    return cpu


def test_batch_sizes_and_the_one_that_a_batch_is_padded_to() -> None:
    assert batch_sizes(1) == [1]
    assert batch_sizes(16) == [1, 2, 4, 8, 16]
    assert batch_sizes(20) == [1, 2, 4, 8, 16, 20]
    assert [padded_size(n, batch_sizes(20)) for n in (1, 3, 16, 17, 21)] == [1, 4, 16, 20, None]


def test_half_precision_matches_float32(reference: EagerRunner) -> None:
    half = EagerRunner(tiny_checkpoint(0).model, CPU, torch.float16)
    assert matches_reference(half, reference, DIM, batch_sizes(4))
    mean, logvar = half.encode(half.decode(seeded_noise(range(3), DIM)))
    assert mean.dtype == logvar.dtype == torch.float32


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
        def decode(self, latents: Tensor) -> Tensor:
            self.levels = 9 if len(latents) == broken else 0
            return super().decode(latents)

    assert not matches_reference(Faulty(reference), reference, DIM, batch_sizes(6))


def test_a_runner_that_fails_for_large_latents_does_not_match(reference: EagerRunner) -> None:
    class Overflowing(Shifted):
        def decode(self, latents: Tensor) -> Tensor:
            return self.runner.decode(torch.where(latents.abs() > MAX_ABS_LATENT / 2, 0.0, latents))

    assert not matches_reference(Overflowing(reference), reference, DIM, batch_sizes(4))


@pytest.mark.parametrize("value", [MAX_ABS_LATENT * 1.01, 7e4, 1e6])
def test_latents_out_of_the_checked_range_run_in_float32(
    reference: EagerRunner, value: float
) -> None:
    selected = on_cuda(reference, capture=lambda runner: runner)
    latents = seeded_noise(range(4), DIM)
    near = selected.decode(latents)
    latents[1, 2] = -value
    images = selected.decode(latents)
    assert torch.equal(images[1:2], reference.decode(latents[1:2]))
    assert (images[2:].int() - near[2:].int()).abs().max() <= 1  # as it was
    far = torch.full((2, DIM), value)
    assert torch.equal(selected.decode(far), reference.decode(far))


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

    decode = EagerRunner.decode
    monkeypatch.setattr(
        EagerRunner,
        "decode",
        lambda self, z: decode(self, z) // (2 if self.dtype == torch.float16 else 1),
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
    assert (selected.decode(latents).int() - reference.decode(latents).int()).abs().max() <= 2


def test_a_cpu_without_them_runs_float32(smooth: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "amx_bf16": False})
    reference = EagerRunner(smooth, CPU, torch.float32)
    selected = select_runner(reference, smooth, 8)
    assert isinstance(selected, EagerRunner)
    assert selected.dtype == torch.float32
    latents = seeded_noise(range(8), DIM)
    assert torch.equal(selected.decode(latents), reference.decode(latents))


@pytest.mark.parametrize(
    "config",
    [
        VAEConfig("mlp", channels=1, size=28, latent_dim=DIM),
        VAEConfig("conv28", channels=1, size=28, latent_dim=DIM),
        VAEConfig("tutorial", latent_dim=DIM),
        VAEConfig("residual", size=SIZE, latent_dim=DIM, widths=(8, 16)),
    ],
    ids=lambda config: config.family,
)
def test_traced_networks_give_the_same_results_for_every_batch_size(config: VAEConfig) -> None:
    model = VAE(config).eval()
    reference, traced = (
        EagerRunner(model, CPU, torch.float32, trace=trace) for trace in (False, True)
    )
    for count in (1, 5, 2):
        latents = seeded_noise(range(count), DIM)
        images = reference.decode(latents)
        assert torch.equal(traced.decode(latents), images)
        for actual, expected in zip(traced.encode(images), reference.encode(images), strict=True):
            assert torch.equal(actual, expected)


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


def test_bfloat16_is_used_for_the_range_of_latents_in_which_it_matches(
    smooth: VAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    reference, decode = EagerRunner(smooth, CPU, torch.float32), EagerRunner.decode

    def coarse(self: EagerRunner, latents: Tensor) -> Tensor:
        off = (
            9
            if self.dtype == torch.bfloat16 and bool((latents.abs() > REDUCED_MAX_ABS_LATENT).any())
            else 0
        )
        return decode(self, latents) ^ off

    monkeypatch.setattr(EagerRunner, "decode", coarse)
    selected = select_runner(reference, smooth, 8)
    assert isinstance(selected, RangeGuardedRunner)
    assert selected.max_abs_latent == REDUCED_MAX_ABS_LATENT
    latents = seeded_noise(range(8), DIM)
    latents[0, 0] = -REDUCED_MAX_ABS_LATENT * 1.01
    assert torch.equal(selected.decode(latents)[:1], reference.decode(latents[:1]))


def test_a_rejected_runner_is_freed_before_the_next_is_made(reference: EagerRunner) -> None:
    made: list[weakref.ref[Shifted]] = []

    def dark(runner: EagerRunner) -> Runner:
        assert all(earlier() is None for earlier in made)
        shifted = Shifted(runner, levels=9)
        made.append(weakref.ref(shifted))
        return shifted

    on_cuda(reference, capture=dark)
    assert made[0]() is None


def test_graphs_share_memory_and_the_largest_is_captured_first(
    reference: EagerRunner, graphs: SimpleNamespace
) -> None:
    sizes: list[int] = []
    decode = reference.decode_on_device

    def recorded(latents: Tensor) -> tuple[Tensor, ...]:
        sizes.append(len(latents))
        return decode(latents)

    reference.decode_on_device = recorded  # type: ignore[method-assign]
    CudaGraphRunner(reference, (SIZE, SIZE, 3), DIM, 6)
    assert list(dict.fromkeys(sizes)) == [6, 4, 2, 1]
    assert {options["pool"] for options in graphs.captures} == {"pool"}
    assert len({id(options["stream"]) for options in graphs.captures}) == 1


def test_graphs_run_one_at_a_time(reference: EagerRunner, graphs: SimpleNamespace) -> None:
    captured = CudaGraphRunner(reference, (SIZE, SIZE, 3), DIM, 2)
    inside, free = threading.Event(), threading.Event()

    def hang() -> None:
        graphs.replay = lambda: None
        inside.set()
        assert free.wait(30)

    graphs.replay = hang
    apart = torch.inference_mode()  # holds for one thread
    blank = torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8)
    with ThreadPoolExecutor(2) as threads:
        abandoned = threads.submit(apart(captured.decode), torch.zeros(1, DIM))
        assert inside.wait(30)
        successor = threads.submit(apart(captured.encode), blank)
        with pytest.raises(TimeoutError):
            successor.result(0.2)
        free.set()
        assert abandoned.result(30).shape == (1, SIZE, SIZE, 3)
        assert successor.result(30)[0].shape == (2, DIM)


@pytest.mark.gpu
@needs_cuda
def test_captured_graphs_run_every_batch_size(reference: EagerRunner) -> None:
    cuda = EagerRunner(tiny_checkpoint(0).model, torch.device("cuda"), torch.float16)
    captured = CudaGraphRunner(cuda, (SIZE, SIZE, 3), DIM, 6)
    for count in range(1, 9):
        latents = seeded_noise(range(count), DIM)
        expected = reference.decode(latents)
        images = captured.decode(latents)
        assert (images.int() - expected.int()).abs().max() <= 2
        mean, _ = captured.encode(expected)
        torch.testing.assert_close(mean, reference.encode(expected)[0], atol=0.05, rtol=0.02)


@pytest.mark.gpu
@needs_cuda
def test_an_engine_on_cuda_selects_captured_half_precision() -> None:
    engine = Engine(tiny_checkpoint(0), torch.device("cuda"), batch_size_one=False)
    engine.warm_up(4)
    assert isinstance(engine._runner, RangeGuardedRunner)
    assert isinstance(engine._runner.fast, CudaGraphRunner)

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
def plain() -> EagerRunner:
    return EagerRunner(tiny_checkpoint(0).model, CPU, torch.float32)


@pytest.fixture
def mild() -> VAE:
    """A model that bfloat16 draws well, as it does trained ones; the tiny one is wild."""
    torch.manual_seed(0)
    return VAE(VAEConfig(size=SIZE, latent_dim=DIM, widths=(8, 16))).eval()


def on_cuda(plain: EagerRunner, capture: Callable[[EagerRunner], Runner]) -> Runner:
    model = tiny_checkpoint(0).model
    return select_runner(plain, model, 4, cuda_candidates(plain, model, 4, capture))


class Darker:
    """A runner whose pictures are darker by a few grey levels, or whose posteriors are shifted."""

    def __init__(
        self, runner: Runner, levels: int = 0, shift: float = 0.0, wider: float = 0.0
    ) -> None:
        self.runner, self.levels, self.shift, self.wider = runner, levels, shift, wider

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.runner.encode(pictures)
        return mean + self.shift, logvar + self.wider

    def decode(self, latents: Tensor) -> Tensor:
        return (self.runner.decode(latents).int() - self.levels).clamp(0, 255).to(torch.uint8)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Graphs on the CPU, whose answers stay what they were captured with.

    The test may set ``replay`` to be called by every replay, and reads how they were captured.
    """
    cpu = SimpleNamespace(replay=lambda: None, captures=[])

    def graph(_: object, **how: object) -> contextlib.nullcontext[None]:
        cpu.captures.append(how)
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


def test_sizes_and_the_one_that_a_batch_is_filled_up_to() -> None:
    assert batch_sizes(1) == [1]
    assert batch_sizes(16) == [1, 2, 4, 8, 16]
    assert batch_sizes(20) == [1, 2, 4, 8, 16, 20]
    assert [padded_size(n, batch_sizes(20)) for n in (1, 3, 16, 17, 21)] == [1, 4, 16, 20, None]


def test_half_precision_draws_what_float32_draws(plain: EagerRunner) -> None:
    half = EagerRunner(tiny_checkpoint(0).model, CPU, torch.float16)
    assert matches_reference(half, plain, DIM, batch_sizes(4))
    mean, logvar = half.encode(half.decode(seeded_noise(range(3), DIM)))
    assert mean.dtype == logvar.dtype == torch.float32


def test_a_runner_that_draws_something_else_is_found_out(plain: EagerRunner) -> None:
    assert matches_reference(Darker(plain, levels=2), plain, DIM, batch_sizes(4))
    assert not matches_reference(Darker(plain, levels=3), plain, DIM, batch_sizes(4))
    assert not matches_reference(Darker(plain, shift=3.0), plain, DIM, batch_sizes(4))
    assert matches_reference(Darker(plain, wider=0.04), plain, DIM, batch_sizes(4))
    for number in (0.06, float("inf"), float("nan")):
        assert not matches_reference(Darker(plain, wider=number), plain, DIM, batch_sizes(4))


@pytest.mark.parametrize("broken", [1, 2, 4, 6])
def test_a_runner_that_fails_at_one_size_of_batch_is_found_out(
    plain: EagerRunner, broken: int
) -> None:
    class Faulty(Darker):
        def decode(self, latents: Tensor) -> Tensor:
            self.levels = 9 if len(latents) == broken else 0
            return super().decode(latents)

    assert not matches_reference(Faulty(plain), plain, DIM, batch_sizes(6))


def test_a_runner_that_fails_far_out_is_found_out(plain: EagerRunner) -> None:
    class Overflowing(Darker):
        def decode(self, latents: Tensor) -> Tensor:
            return self.runner.decode(torch.where(latents.abs() > MAX_ABS_LATENT / 2, 0.0, latents))

    assert not matches_reference(Overflowing(plain), plain, DIM, batch_sizes(4))


@pytest.mark.parametrize("value", [MAX_ABS_LATENT * 1.01, 7e4, 1e6])
def test_what_half_precision_was_not_compared_on_is_run_in_float32(
    plain: EagerRunner, value: float
) -> None:
    found = on_cuda(plain, capture=lambda runner: runner)
    latents = seeded_noise(range(4), DIM)
    near = found.decode(latents)
    latents[1, 2] = -value
    pictures = found.decode(latents)
    assert torch.equal(pictures[1:2], plain.decode(latents[1:2]))
    assert (pictures[2:].int() - near[2:].int()).abs().max() <= 1  # as it was
    far = torch.full((2, DIM), value)
    assert torch.equal(found.decode(far), plain.decode(far))


def test_a_picture_that_half_precision_cannot_encode_is_encoded_exactly(plain: EagerRunner) -> None:
    pictures = torch.zeros((2, SIZE, SIZE, 3), dtype=torch.uint8)
    for fast in (Darker(plain, shift=float("nan")), Darker(plain, wider=float("inf"))):
        for found, exact in zip(
            RangeGuardedRunner(fast, plain).encode(pictures), plain.encode(pictures), strict=True
        ):
            assert torch.equal(found, exact)


def test_the_fastest_faithful_way_is_taken(
    plain: EagerRunner, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("lorgnette"), "propagate", True)
    caplog.set_level(logging.INFO, "lorgnette")
    tried: list[torch.dtype] = []

    def noted(runner: EagerRunner) -> Runner:
        tried.append(runner.dtype)
        return Darker(runner)

    def nothing_works(runner: EagerRunner) -> Runner:
        raise RuntimeError("operation not permitted when stream is capturing")

    half = on_cuda(plain, capture=lambda runner: Darker(runner))
    assert isinstance(half, RangeGuardedRunner)
    assert isinstance(half.fast, Darker)
    uncaptured = on_cuda(plain, capture=nothing_works)
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
    assert isinstance(on_cuda(plain, capture=noted), Darker)
    assert tried == [torch.float16, torch.float32]
    assert "more than 2 grey levels" in caplog.text
    assert on_cuda(plain, capture=nothing_works) is plain


@pytest.mark.parametrize("instruction", ["avx512_bf16", "amx_bf16"])
def test_a_cpu_with_instructions_for_it_runs_bfloat16(
    mild: VAE, monkeypatch: pytest.MonkeyPatch, instruction: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {instruction: True})
    plain = EagerRunner(mild, CPU, torch.float32)
    found = select_runner(plain, mild, 8)
    assert isinstance(found, RangeGuardedRunner)
    assert isinstance(found.fast, EagerRunner)
    assert found.fast.dtype == torch.bfloat16
    latents = seeded_noise(range(8), DIM)
    assert (found.decode(latents).int() - plain.decode(latents).int()).abs().max() <= 2


def test_a_cpu_without_them_runs_float32(mild: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "amx_bf16": False})
    plain = EagerRunner(mild, CPU, torch.float32)
    found = select_runner(plain, mild, 8)
    assert isinstance(found, EagerRunner)
    assert found.dtype == torch.float32
    latents = seeded_noise(range(8), DIM)
    assert torch.equal(found.decode(latents), plain.decode(latents))


@pytest.mark.parametrize(
    "config",
    [
        VAEConfig("mlp", channels=1, size=28, latent_dim=DIM),
        VAEConfig("conv28", channels=1, size=28, latent_dim=DIM),
        VAEConfig("book", latent_dim=DIM),
        VAEConfig("residual", size=SIZE, latent_dim=DIM, widths=(8, 16)),
    ],
    ids=lambda config: config.family,
)
def test_traced_networks_give_the_same_for_every_batch_size(config: VAEConfig) -> None:
    model = VAE(config).eval()
    plain, traced = (EagerRunner(model, CPU, torch.float32, trace=trace) for trace in (False, True))
    for count in (1, 5, 2):
        latents = seeded_noise(range(count), DIM)
        pictures = plain.decode(latents)
        assert torch.equal(traced.decode(latents), pictures)
        for found, expected in zip(traced.encode(pictures), plain.encode(pictures), strict=True):
            assert torch.equal(found, expected)


def test_networks_that_cannot_be_traced_run_as_they_are(
    mild: VAE, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("cannot be traced")

    monkeypatch.setattr(torch.jit, "trace", refuse)
    caplog.set_level(logging.INFO, "lorgnette")
    plain = EagerRunner(mild, CPU, torch.float32)
    assert select_runner(plain, mild, 8) is plain
    assert "does not run as torch.float32: cannot be traced" in caplog.text


def test_a_model_that_bfloat16_draws_well_only_so_far_is_run_in_it_so_far(
    mild: VAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    plain, decode = EagerRunner(mild, CPU, torch.float32), EagerRunner.decode

    def coarse(self: EagerRunner, latents: Tensor) -> Tensor:
        off = (
            9
            if self.dtype == torch.bfloat16 and bool((latents.abs() > REDUCED_MAX_ABS_LATENT).any())
            else 0
        )
        return decode(self, latents) ^ off

    monkeypatch.setattr(EagerRunner, "decode", coarse)
    found = select_runner(plain, mild, 8)
    assert isinstance(found, RangeGuardedRunner)
    assert found.max_abs_latent == REDUCED_MAX_ABS_LATENT
    latents = seeded_noise(range(8), DIM)
    latents[0, 0] = -REDUCED_MAX_ABS_LATENT * 1.01
    assert torch.equal(found.decode(latents)[:1], plain.decode(latents[:1]))


def test_a_runner_that_was_rejected_is_let_go_before_the_next(plain: EagerRunner) -> None:
    made: list[weakref.ref[Darker]] = []

    def dark(runner: EagerRunner) -> Runner:
        assert all(earlier() is None for earlier in made)
        found = Darker(runner, levels=9)
        made.append(weakref.ref(found))
        return found

    on_cuda(plain, capture=dark)
    assert made[0]() is None


def test_graphs_share_their_memory_and_the_largest_is_first(
    plain: EagerRunner, graphs: SimpleNamespace
) -> None:
    sizes: list[int] = []
    decode = plain.decode_on_device

    def noted(latents: Tensor) -> tuple[Tensor, ...]:
        sizes.append(len(latents))
        return decode(latents)

    plain.decode_on_device = noted  # type: ignore[method-assign]
    CudaGraphRunner(plain, (SIZE, SIZE, 3), DIM, 6)
    assert list(dict.fromkeys(sizes)) == [6, 4, 2, 1]
    assert {how["pool"] for how in graphs.captures} == {"pool"}
    assert len({id(how["stream"]) for how in graphs.captures}) == 1


def test_graphs_run_one_at_a_time(plain: EagerRunner, graphs: SimpleNamespace) -> None:
    captured = CudaGraphRunner(plain, (SIZE, SIZE, 3), DIM, 2)
    inside, free = threading.Event(), threading.Event()

    def hang() -> None:
        graphs.replay = lambda: None
        inside.set()
        assert free.wait(30)

    graphs.replay = hang
    apart = torch.inference_mode()  # holds for one thread
    blank = torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8)
    with ThreadPoolExecutor(2) as threads:
        fatal = threads.submit(apart(captured.decode), torch.zeros(1, DIM))
        assert inside.wait(30)
        successor = threads.submit(apart(captured.encode), blank)
        with pytest.raises(TimeoutError):
            successor.result(0.2)
        free.set()
        assert fatal.result(30).shape == (1, SIZE, SIZE, 3)
        assert successor.result(30)[0].shape == (2, DIM)


@pytest.mark.gpu
@needs_cuda
def test_captured_graphs_answer_for_every_batch_size(plain: EagerRunner) -> None:
    cuda = EagerRunner(tiny_checkpoint(0).model, torch.device("cuda"), torch.float16)
    captured = CudaGraphRunner(cuda, (SIZE, SIZE, 3), DIM, 6)
    for count in range(1, 9):
        latents = seeded_noise(range(count), DIM)
        expected = plain.decode(latents)
        found = captured.decode(latents)
        assert (found.int() - expected.int()).abs().max() <= 2
        mean, _ = captured.encode(expected)
        torch.testing.assert_close(mean, plain.encode(expected)[0], atol=0.05, rtol=0.02)


@pytest.mark.gpu
@needs_cuda
def test_an_engine_on_cuda_chooses_captured_half_precision() -> None:
    engine = Engine(tiny_checkpoint(0), torch.device("cuda"), batch_size_one=False)
    engine.warm_up(4)
    assert isinstance(engine._runner, RangeGuardedRunner)
    assert isinstance(engine._runner.fast, CudaGraphRunner)

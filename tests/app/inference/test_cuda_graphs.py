import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from app.inference.cuda_graphs import CudaGraphRunner, batch_sizes, padded_size
from app.inference.engine import Engine
from app.inference.runners import EagerRunner, RangeGuardedRunner
from tests.app.conftest import DIM, SIZE, tiny_checkpoint
from tests.app.inference.runners import decode
from vae.latent import seeded_noise
from vae.model import VAE

pytestmark = pytest.mark.usefixtures("no_gradients")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


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


def test_graphs_share_memory_and_the_largest_is_captured_first(
    reference: EagerRunner, graphs: SimpleNamespace
) -> None:
    sizes: list[int] = []
    decode_on_device = reference.decode_on_device

    def recorded(latents: Tensor) -> tuple[Tensor, ...]:
        sizes.append(len(latents))
        return decode_on_device(latents)

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
        abandoned = threads.submit(apart(captured.decode), torch.zeros(1, DIM), torch.zeros(1))
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
        expected = decode(reference, latents)
        images = decode(captured, latents)
        assert (images.int() - expected.int()).abs().max() <= 2
        mean, _ = captured.encode(expected)
        torch.testing.assert_close(mean, reference.encode(expected)[0], atol=0.05, rtol=0.02)


@pytest.mark.gpu
@needs_cuda
def test_captured_graphs_decode_with_detail(detailed: VAE) -> None:
    reference = EagerRunner(detailed, torch.device("cpu"), torch.float32)
    cuda = EagerRunner(detailed, torch.device("cuda"), torch.float32)
    captured = CudaGraphRunner(cuda, (SIZE, SIZE, 3), DIM, 4, detail=True)
    for count in range(1, 6):
        latents, detail = seeded_noise(range(count), DIM), torch.linspace(0, 1, count)
        expected = reference.decode(latents, detail)
        assert (captured.decode(latents, detail).int() - expected.int()).abs().max() <= 1


def test_a_model_with_detail_is_captured_with_and_without(
    detailed: VAE, graphs: SimpleNamespace
) -> None:
    reference = EagerRunner(detailed, torch.device("cpu"), torch.float32)
    CudaGraphRunner(reference, (SIZE, SIZE, 3), DIM, 2, detail=True)
    assert len(graphs.captures) == 2 * 3  # encode, decode, decode with detail, of two sizes


@pytest.mark.gpu
@needs_cuda
def test_an_engine_on_cuda_selects_captured_half_precision() -> None:
    engine = Engine(tiny_checkpoint(0), torch.device("cuda"), batch_size_one=False)
    engine.warm_up(4)
    assert isinstance(engine._runner, RangeGuardedRunner)
    assert isinstance(engine._runner.fast, CudaGraphRunner)

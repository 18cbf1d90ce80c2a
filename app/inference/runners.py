"""The ways to run a model: plainly or traced, on CUDA through graphs, in half precision or not."""

import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vae.model import VAE
from vae.pixels import to_float, to_uint8

MAX_ABS_LATENT = 12.0  # value in a latent for half precision; draws of temperature 2 reach 10
WARM_UP_RUNS = 3  # before a capture, as PyTorch's notes on CUDA graphs ask for


class Runner(Protocol):
    """Batches in, batches out, all on the CPU."""

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar, float32 ``(N, D)``, of uint8 ``(N, S, S, C)``."""

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures, uint8 ``(N, S, S, C)``, of float32 ``(N, D)``."""


class EagerRunner:
    """The model as it is, on its device.

    Args:
        model: the model.
        device: where to run it.
        dtype: what to run it in.
        trace: whether its networks are ``traced``.
    """

    def __init__(
        self, model: VAE, device: torch.device, dtype: torch.dtype, trace: bool = False
    ) -> None:
        self.device, self.dtype = device, dtype
        self._model = model.for_inference().to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if trace:
            kind: dict[str, Any] = {"device": device, "dtype": dtype}
            picture = torch.zeros(1, *model.config.shape, **kind)
            latent = torch.zeros(1, model.config.latent_dim, **kind)
            self._model.encoder = traced(self._model.encoder, picture)
            self._model.decoder = traced(self._model.decoder, latent)

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar, float32 ``(N, D)``, of uint8 ``(N, S, S, C)``."""
        mean, logvar = self.encode_on_device(pictures.to(self.device))
        return mean.cpu(), logvar.cpu()

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures, uint8 ``(N, S, S, C)``, of float32 ``(N, D)``."""
        [pictures] = self.decode_on_device(latents.to(self.device))
        return pictures.cpu()

    def encode_on_device(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Mean and logvar, everything on the device."""
        x = to_float(pictures, self.dtype).contiguous(memory_format=torch.channels_last)
        posterior = self._model.encode(x)
        return posterior.mean, posterior.logvar

    def decode_on_device(self, latents: Tensor) -> tuple[Tensor, ...]:
        """The pictures alone, everything on the device."""
        raw = self._model.decode_logits(latents.to(self.dtype))
        step = len(raw) if self.device.type == "cuda" else 1  # of one, the pixels stay in the cache
        parts = raw.split(step)
        return (torch.cat([to_uint8(self._model.to_images(part)) for part in parts]),)


def traced(network: nn.Module, example: Tensor) -> nn.Module:
    """The same network as a TorchScript graph, which is run without the interpreter.

    Else its lock is let go for every operation and waited for after it; under load it is the
    threads of requests that have it by then. Whether the answers are the same, ``app.inference.runner_selection`` looks.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated: decision 21
        graph = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
    assert isinstance(graph, nn.Module)
    return graph


class CudaGraphRunner:
    """A plain runner on CUDA whose kernels are launched as one graph a call.

    One graph is captured for each batch size, the largest first, so that the others fit into its
    memory, which all share; a batch is filled up to the next of them. Inputs and answers pass
    through page-locked memory. A larger batch than the largest is run plainly.

    Graphs run one at a time. They share memory; and a thread that was given up in the middle of one
    may come back, and its answers must not pass through memory that its successor uses. Until then
    the successor waits.
    """

    def __init__(
        self, plain: EagerRunner, shape: tuple[int, int, int], dim: int, most: int
    ) -> None:
        self._plain = plain
        self._encode, self._decode = {}, {}
        stream = torch.cuda.Stream(plain.device)  # type: ignore[no-untyped-call]
        shared = (plain.device, threading.Lock(), stream, torch.cuda.graph_pool_handle())
        for size in reversed(batch_sizes(most)):
            pictures = torch.zeros((size, *shape), dtype=torch.uint8)
            self._encode[size] = CudaGraph(plain.encode_on_device, pictures, *shared)
            latents = torch.zeros(size, dim)
            self._decode[size] = CudaGraph(plain.decode_on_device, latents, *shared)

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar, float32 ``(N, D)``, of uint8 ``(N, S, S, C)``."""
        size = padded_size(len(pictures), self._encode)
        if size is None:
            return self._plain.encode(pictures)
        mean, logvar = self._encode[size](pictures)
        return mean, logvar

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures, uint8 ``(N, S, S, C)``, of float32 ``(N, D)``."""
        size = padded_size(len(latents), self._decode)
        if size is None:
            return self._plain.decode(latents)
        [pictures] = self._decode[size](latents)
        return pictures


class CudaGraph:
    """A function of one batch, captured once and replayed on other values."""

    def __init__(
        self,
        step: Callable[[Tensor], tuple[Tensor, ...]],
        example: Tensor,
        device: torch.device,
        lock: threading.Lock,
        stream: torch.cuda.Stream,
        pool: Any,  # a handle
    ) -> None:
        self._lock = lock
        self._from_host = example.pin_memory()
        self._input = example.to(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                step(self._input)
        torch.cuda.current_stream(device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool, stream=stream):
            self._outputs = step(self._input)
        self._to_host = [torch.empty_like(o, device="cpu").pin_memory() for o in self._outputs]

    def __call__(self, batch: Tensor) -> list[Tensor]:
        """What the function gives for ``batch``, which may be shorter than the example was."""
        n = len(batch)
        with self._lock:
            self._from_host[:n].copy_(batch)
            self._input.copy_(self._from_host, non_blocking=True)
            self._graph.replay()
            for host, output in zip(self._to_host, self._outputs, strict=True):
                host.copy_(output, non_blocking=True)
            torch.cuda.current_stream(self._input.device).synchronize()
            return [host[:n].clone() for host in self._to_host]


class RangeGuardedRunner:
    """A fast runner for the latents that it was compared on; what lies beyond is run exactly.

    In half precision the error of a picture grows with its latent, and in float16 a value over
    65504 is infinite. So may be one of a picture that is encoded; then it is encoded exactly.
    """

    def __init__(self, fast: Runner, exact: Runner, max_abs_latent: float = MAX_ABS_LATENT) -> None:
        self.fast, self.max_abs_latent, self._exact = fast, max_abs_latent, exact

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar, float32 ``(N, D)``, of uint8 ``(N, S, S, C)``."""
        mean, logvar = self.fast.encode(pictures)
        if mean.isfinite().all() and logvar.isfinite().all():
            return mean, logvar
        return self._exact.encode(pictures)

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures, uint8 ``(N, S, S, C)``, of float32 ``(N, D)``."""
        near = (latents.abs() <= self.max_abs_latent).all(1)  # NaN is not
        if near.all():
            return self.fast.decode(latents)
        far = self._exact.decode(latents[~near])
        if not near.any():
            return far
        pictures = far.new_empty(len(latents), *far.shape[1:])
        pictures[near], pictures[~near] = self.fast.decode(latents[near]), far
        return pictures


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that the device has no memory left, whichever library says it."""
    words = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)


def batch_sizes(most: int) -> list[int]:
    """The powers of two below ``most``, and ``most``."""
    return [size for size in (1 << i for i in range(most.bit_length())) if size < most] + [most]


def padded_size(count: int, sizes: Sequence[int] | dict[int, CudaGraph]) -> int | None:
    """The least of ``sizes`` that holds ``count``, or None."""
    return min((size for size in sizes if size >= count), default=None)

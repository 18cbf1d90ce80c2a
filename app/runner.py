"""How a model is run: plainly, in half precision where that is faster, on CUDA through graphs."""

import gc
import logging
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vae.latent import normal
from vae.model import VAE
from vae.pixels import to_float, to_uint8

GREY_LEVELS = 2  # by which half precision may differ from float32 ...
SHARE = 0.999  # ... in this share of the values
FARTHEST = 12.0  # value in a latent up to which it may be used; draws of temperature 2 reach 10
NEARER = 4.0  # likewise, for a model that bfloat16 draws well only so far
LOGVAR_APART = 0.05  # a variance may differ by a twentieth
AT_ONCE = 8  # pictures that float32 has memory for, whatever the largest batch is
COMPARED = 4  # pictures on the CPU at most, where larger batches run the same way
BFLOAT16 = ("avx512_bf16", "amx_bf16")  # CPUs that multiply bfloat16 faster than float32
WARM_UP_RUNS = 3  # before a capture, as PyTorch's notes on CUDA graphs ask for

log = logging.getLogger("lorgnette")


class Runner(Protocol):
    """Batches in, batches out, all on the CPU."""

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar, float32 ``(N, D)``, of uint8 ``(N, S, S, C)``."""

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures, uint8 ``(N, S, S, C)``, of float32 ``(N, D)``."""


class Plain:
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
        self._model = model.rearranged().to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
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
        raw = self._model.raw(latents.to(self.dtype))
        step = len(raw) if self.device.type == "cuda" else 1  # of one, the pixels stay in the cache
        parts = raw.split(step)
        return (torch.cat([to_uint8(self._model.to_pictures(part)) for part in parts]),)


def traced(network: nn.Module, example: Tensor) -> nn.Module:
    """The same network as a TorchScript graph, which is run without the interpreter.

    Else its lock is let go for every operation and waited for after it; under load it is the
    threads of requests that have it by then. Whether the answers are the same, ``faithful`` tells.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated: decision 21
        graph = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
    assert isinstance(graph, nn.Module)
    return graph


class Captured:
    """A plain runner on CUDA whose kernels are launched as one graph a call.

    One graph is captured for each batch size, the largest first, so that the others fit into its
    memory, which all share; a batch is filled up to the next of them. Inputs and answers pass
    through page-locked memory. A larger batch than the largest is run plainly.

    Graphs run one at a time. They share memory; and a thread that was given up in the middle of one
    may come back, and its answers must not pass through memory that its successor uses. Until then
    the successor waits.
    """

    def __init__(self, plain: Plain, shape: tuple[int, int, int], dim: int, most: int) -> None:
        self._plain = plain
        self._encode, self._decode = {}, {}
        stream = torch.cuda.Stream(plain.device)  # type: ignore[no-untyped-call]
        shared = (plain.device, threading.Lock(), stream, torch.cuda.graph_pool_handle())
        for size in reversed(batch_sizes(most)):
            pictures = torch.zeros((size, *shape), dtype=torch.uint8)
            self._encode[size] = Graph(plain.encode_on_device, pictures, *shared)
            latents = torch.zeros(size, dim)
            self._decode[size] = Graph(plain.decode_on_device, latents, *shared)

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar, float32 ``(N, D)``, of uint8 ``(N, S, S, C)``."""
        size = filled_up(len(pictures), self._encode)
        if size is None:
            return self._plain.encode(pictures)
        mean, logvar = self._encode[size](pictures)
        return mean, logvar

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures, uint8 ``(N, S, S, C)``, of float32 ``(N, D)``."""
        size = filled_up(len(latents), self._decode)
        if size is None:
            return self._plain.decode(latents)
        [pictures] = self._decode[size](latents)
        return pictures


class Graph:
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


class Bounded:
    """A fast runner for the latents that it was compared on; what lies beyond is run exactly.

    In half precision the error of a picture grows with its latent, and in float16 a value over
    65504 is infinite. So may be one of a picture that is encoded; then it is encoded exactly.
    """

    def __init__(self, fast: Runner, exact: Runner, farthest: float = FARTHEST) -> None:
        self.fast, self.farthest, self._exact = fast, farthest, exact

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar, float32 ``(N, D)``, of uint8 ``(N, S, S, C)``."""
        mean, logvar = self.fast.encode(pictures)
        if mean.isfinite().all() and logvar.isfinite().all():
            return mean, logvar
        return self._exact.encode(pictures)

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures, uint8 ``(N, S, S, C)``, of float32 ``(N, D)``."""
        near = (latents.abs() <= self.farthest).all(1)  # NaN is not
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


def filled_up(count: int, sizes: Sequence[int] | dict[int, Graph]) -> int | None:
    """The least of ``sizes`` that holds ``count``, or None."""
    return min((size for size in sizes if size >= count), default=None)


@dataclass(frozen=True)
class Way:
    """A way to run a model: what it is called, how it is made, and what it is good for."""

    name: str
    make: Callable[[], Runner]
    farthest: float = FARTHEST


def fastest(plain: Plain, model: VAE, most: int, ways: Sequence[Way] | None = None) -> Runner:
    """The fastest way on a device that draws what float32 draws.

    Half precision is kept where 99.9% of the values stay within two grey levels, for decodes and
    for reconstructions, and as many variances within a twentieth; and only for latents as far out
    as that was seen to hold. On CUDA it is float16, which has three more bits for a picture than
    bfloat16, and what cannot be captured is run plainly. On the CPU it is bfloat16, where that is
    faster, and networks are traced.

    Args:
        plain: the float32 runner, which is the measure and the last resort.
        model: the model to run.
        most: the largest batch that is captured.
        ways: to try in turn; by default those of the device.
    """
    on_cuda = plain.device.type == "cuda"
    if ways is None:
        ways = ways_on_cuda(plain, model, most) if on_cuda else ways_on_cpu(plain, model)
    sizes = batch_sizes(most) if on_cuda else sorted({1, min(most, COMPARED)})
    for way in ways:
        if found := _if_faithful(way, plain, model.config.latent_dim, sizes):
            return found
        gc.collect()  # a capture that failed may hold on to its memory in a cycle
        torch.cuda.empty_cache()
    return plain


def ways_on_cuda(
    plain: Plain, model: VAE, most: int, capture: Callable[[Plain], Runner] | None = None
) -> list[Way]:
    """In half precision and through graphs, as far as that is possible.

    Args:
        plain: the float32 runner.
        model: the model to run.
        most: the largest batch that is captured.
        capture: makes a runner of a plain one; by default ``Captured``.
    """
    config = model.config
    shape = (config.size, config.size, config.channels)
    capture = capture or (lambda runner: Captured(runner, shape, config.latent_dim, most))

    def half() -> Plain:
        return Plain(model, plain.device, torch.float16)

    return [
        Way("torch.float16 through captured graphs", lambda: Bounded(capture(half()), plain)),
        Way("torch.float16", lambda: Bounded(half(), plain)),
        Way("torch.float32 through captured graphs", lambda: capture(plain)),
    ]


def ways_on_cpu(plain: Plain, model: VAE) -> list[Way]:
    """Traced, and in half precision if the CPU has instructions for it."""

    def traced_in(dtype: torch.dtype) -> Plain:
        return Plain(model, plain.device, dtype, trace=True)

    def bounded(farthest: float) -> Runner:
        return Bounded(traced_in(torch.bfloat16), plain, farthest)

    has = torch.cpu.get_capabilities()
    halves = (FARTHEST, NEARER) if any(has.get(name, False) for name in BFLOAT16) else ()
    return [
        *(Way(f"torch.bfloat16 up to {far:g}", partial(bounded, far), far) for far in halves),
        Way("torch.float32", lambda: traced_in(torch.float32)),
    ]


def _if_faithful(way: Way, plain: Plain, dim: int, sizes: Sequence[int]) -> Runner | None:
    """The runner, or None after a word in the log; nothing of it is kept then."""
    try:
        found = way.make()
        if faithful(found, plain, dim, sizes, way.farthest):
            log.info("run as %s", way.name)
            return found
        reason = f"answers differ, pictures by more than {GREY_LEVELS} grey levels"
    except RuntimeError as error:
        reason = str(error)
    log.info("not run as %s: %s", way.name, reason)
    return None


def faithful(
    runner: Runner, reference: Runner, dim: int, sizes: Sequence[int], farthest: float = FARTHEST
) -> bool:
    """Whether a runner's decodes and encodes agree with the reference, see ``fastest``.

    They are compared for batches of these sizes, on ordinary latents and on ones as far out.
    """
    noise = normal(range(max(sizes)), dim)
    far = farthest * noise.sign()
    return all(_agrees(runner, reference, z[:size]) for size in sizes for z in (noise, far))


def _agrees(runner: Runner, reference: Runner, latents: Tensor) -> bool:
    expected = _decoded(reference, latents)
    encoded = [reference.encode(part) for part in expected.split(AT_ONCE)]  # type: ignore[no-untyped-call]
    copies = _decoded(reference, torch.cat([mean for mean, _ in encoded]))
    mean, logvar = runner.encode(expected)
    apart = (logvar - torch.cat([logvar for _, logvar in encoded])).abs()
    return (
        bool(mean.isfinite().all())
        and _mostly(apart <= LOGVAR_APART)  # NaN is not
        and _near(runner.decode(latents), expected)
        and _near(_decoded(reference, mean), copies)
    )


def _decoded(reference: Runner, latents: Tensor) -> Tensor:
    parts = latents.split(AT_ONCE)  # type: ignore[no-untyped-call]
    return torch.cat([reference.decode(part) for part in parts])


def _near(found: Tensor, expected: Tensor) -> bool:
    return _mostly((found.int() - expected.int()).abs() <= GREY_LEVELS)


def _mostly(true: Tensor) -> bool:
    return bool(true.float().mean() >= SHARE)

"""Models on CUDA as graphs: all kernels of a call are launched at once."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from app.inference.runners import EagerRunner

WARM_UP_RUNS = 3  # before a capture, as PyTorch's notes on CUDA graphs ask for


class CudaGraphRunner:
    """An eager runner on CUDA whose kernels are captured as one graph for each batch size.

    The largest batch size is captured first, so that the others fit into its memory, which all
    share. A batch is padded to the next captured size. Inputs and outputs pass through page-locked
    memory. A batch over ``max_batch`` runs eagerly.

    Graphs run one at a time, since they share memory. A thread that was abandoned while it ran one
    may come back, and its outputs must not pass through memory that another thread uses by then;
    so that thread waits.

    Args:
        eager: the runner to capture.
        shape: of an image, ``(S, S, C)``.
        dim: length of a latent.
        max_batch: the largest batch size to capture.
        detail: whether to capture the decode with detail too.
    """

    def __init__(
        self,
        eager: EagerRunner,
        shape: tuple[int, int, int],
        dim: int,
        max_batch: int,
        detail: bool = False,
    ) -> None:
        self._eager = eager
        self._encode: dict[int, CudaGraph] = {}
        self._decode: dict[int, CudaGraph] = {}
        self._decode_with_detail: dict[int, CudaGraph] = {}
        stream = torch.cuda.Stream(eager.device)  # type: ignore[no-untyped-call]
        shared = (eager.device, threading.Lock(), stream, torch.cuda.graph_pool_handle())
        for size in reversed(batch_sizes(max_batch)):
            images = torch.zeros((size, *shape), dtype=torch.uint8)
            self._encode[size] = CudaGraph(eager.encode_on_device, images, *shared)
            latents = torch.zeros(size, dim)
            self._decode[size] = CudaGraph(eager.decode_on_device, latents, *shared)
            if detail:
                rows = torch.ones(size, dim + 1)
                graph = CudaGraph(eager.decode_with_detail_on_device, rows, *shared)
                self._decode_with_detail[size] = graph

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar, float32 ``(N, D)``, of uint8 ``(N, S, S, C)``."""
        size = padded_size(len(images), self._encode)
        if size is None:
            return self._eager.encode(images)
        mean, logvar = self._encode[size](images)
        return mean, logvar

    def decode(self, latents: Tensor, detail: Tensor) -> Tensor:
        """Images, uint8 ``(N, S, S, C)``, of float32 ``(N, D)``."""
        graphs, rows = self._decode, latents
        if detail.any():
            graphs, rows = self._decode_with_detail, torch.cat([latents, detail[:, None]], dim=1)
        size = padded_size(len(rows), graphs)
        if size is None:
            return self._eager.decode(latents, detail)
        [images] = graphs[size](rows)
        return images


class CudaGraph:
    """A function of one batch, captured once and replayed on other values.

    Args:
        function: from a batch on the device to tensors on the device.
        example: a batch, on the CPU.
        device: where the function runs.
        lock: held while a graph is replayed.
        stream: on which it is captured.
        pool: handle of the memory that the graphs share.
    """

    def __init__(
        self,
        function: Callable[[Tensor], tuple[Tensor, ...]],
        example: Tensor,
        device: torch.device,
        lock: threading.Lock,
        stream: torch.cuda.Stream,
        pool: Any,
    ) -> None:
        self._lock = lock
        self._host_input = example.pin_memory()
        self._input = example.to(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                function(self._input)
        torch.cuda.current_stream(device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool, stream=stream):
            self._outputs = function(self._input)
        self._host_outputs = [
            torch.empty_like(output, device="cpu").pin_memory() for output in self._outputs
        ]

    def __call__(self, batch: Tensor) -> list[Tensor]:
        """The function's outputs for ``batch``, which may be shorter than the example."""
        n = len(batch)
        with self._lock:
            self._host_input[:n].copy_(batch)
            self._input.copy_(self._host_input, non_blocking=True)
            self._graph.replay()
            for host, output in zip(self._host_outputs, self._outputs, strict=True):
                host.copy_(output, non_blocking=True)
            torch.cuda.current_stream(self._input.device).synchronize()
            return [host[:n].clone() for host in self._host_outputs]


def batch_sizes(max_batch: int) -> list[int]:
    """The powers of two below ``max_batch``, and ``max_batch``."""
    powers = (1 << i for i in range(max_batch.bit_length()))
    return [size for size in powers if size < max_batch] + [max_batch]


def padded_size(count: int, sizes: Iterable[int]) -> int | None:
    """The smallest of ``sizes`` that holds ``count`` items, or None."""
    return min((size for size in sizes if size >= count), default=None)

"""Owns a model on its device; everything here runs on a model thread."""

import os
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.inference.errors import DeviceError, DeviceLostError, OutOfMemoryError
from app.inference.runner_selection import select_runner
from app.inference.runners import EagerRunner, Runner, is_out_of_memory
from app.inference.traced_networks import TracedNetworks
from vae.checkpoint import Checkpoint
from vae.gaussian import DiagonalGaussian

T = TypeVar("T")
U = TypeVar("U")
Pixels = npt.NDArray[np.uint8]
Posterior = DiagonalGaussian  # of one image, mean and logvar of shape (1, D), on the CPU


class DecoderInput(NamedTuple):
    """One image to decode.

    Attributes:
        latent: float32 ``(D,)``.
        detail: 0..1, see ``VAE.decode_with_detail``; 0 for a model without a detail branch.
    """

    latent: Tensor
    detail: float = 0.0


def choose_device(requested: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device to run on.

    Raises:
        DeviceError: if CUDA was requested and there is no CUDA device.
    """
    available = torch.cuda.is_available()
    if requested == "cuda" and not available:
        raise DeviceError("device is cuda, but PyTorch sees no CUDA device; use auto or cpu")
    return torch.device("cuda" if available and requested != "cpu" else "cpu")


def device_count(requested: Literal["auto", "cpu", "cuda"]) -> int:
    """The number of CUDA devices to run on, 0 if the CPU was requested."""
    return 0 if requested == "cpu" else torch.cuda.device_count()


class Engine:
    """A model on a device: lists of images or latents in, as many results out.

    Args:
        checkpoint: the model.
        device: where to run it.
        batch_size_one: run batches of one item only, so that a result cannot depend on its batch
            neighbours.
        graphs: of the networks of all models; by default, of this one alone.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        batch_size_one: bool,
        graphs: TracedNetworks | None = None,
    ) -> None:
        self._device, self._graphs = device, graphs
        self._batch_size_one = batch_size_one
        # Otherwise CUDA rounds float32 to TensorFloat-32, and float32 is the reference here.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        self._model = checkpoint.model
        self._reference = EagerRunner(checkpoint.model, device, torch.float32)
        self._runner: Runner = self._reference
        if batch_size_one:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS refuses
            torch.use_deterministic_algorithms(True)

    @torch.inference_mode()
    def encode_many(self, images: list[Pixels]) -> list[Posterior]:
        """The posterior of each image, uint8 ``(S, S, C)`` of the model's shape.

        Raises:
            OutOfMemoryError: if there is not enough memory for one image.
            DeviceLostError: if the device fails every call.
        """

        def encode(batch: Sequence[Pixels]) -> list[Posterior]:
            mean, logvar = self._runner.encode(torch.from_numpy(np.stack(batch)))
            rows = zip(mean.split(1), logvar.split(1), strict=True)  # type: ignore[no-untyped-call]
            return [DiagonalGaussian(m, v) for m, v in rows]

        return self._run(encode, images)

    @torch.inference_mode()
    def decode_many(self, inputs: list[DecoderInput]) -> list[Pixels]:
        """The image of each latent, as uint8 ``(S, S, C)``.

        Raises:
            OutOfMemoryError: if there is not enough memory for one image.
            DeviceLostError: if the device fails every call.
        """

        def decode(batch: Sequence[DecoderInput]) -> list[Pixels]:
            latents = torch.stack([item.latent for item in batch])
            detail = torch.tensor([item.detail for item in batch])
            return list(self._runner.decode(latents, detail).numpy())

        return self._run(decode, inputs)

    @torch.inference_mode()
    def warm_up(self, max_batch: int) -> None:
        """Select the runner for this device, and encode and decode the smallest and largest batch.

        Args:
            max_batch: the largest batch that will be run.
        """
        if not self._batch_size_one:
            self._runner = select_runner(
                self._reference, self._model, max_batch, graphs=self._graphs
            )
        config = self._model.config
        blank = np.zeros((config.size, config.size, config.channels), np.uint8)
        for count in (1, max_batch):
            self.encode_many([blank] * count)
            for detail in {0.0, self._model.max_detail}:
                self.decode_many([DecoderInput(torch.zeros(config.latent_dim), detail)] * count)

    def _run(self, function: Callable[[Sequence[T]], list[U]], items: list[T]) -> list[U]:
        step = 1 if self._batch_size_one else max(1, len(items))
        return run_on_device(function, items, self._device, step)


def run_on_device(
    function: Callable[[Sequence[T]], list[U]], items: list[T], device: torch.device, step: int
) -> list[U]:
    """The results of ``function`` for all items.

    Args:
        function: maps a batch to as many results.
        items: to process.
        device: where ``function`` runs.
        step: largest batch.

    Raises:
        OutOfMemoryError: if there is not enough memory for one item.
        DeviceLostError: if the device fails every call.
    """
    batches = (items[i : i + step] for i in range(0, len(items), step))
    try:
        return [result for batch in batches for result in _run_splitting(function, batch)]
    except RuntimeError as error:
        if _is_lost(device):
            raise DeviceLostError("the device is lost; the service is ending") from error
        raise


def _is_lost(device: torch.device) -> bool:
    """Whether a CUDA device fails every call, as after an illegal memory access."""
    if device.type == "cuda":
        try:
            torch.cuda.synchronize(device)
        except RuntimeError:
            return True
    return False


def _run_splitting(function: Callable[[Sequence[T]], list[U]], items: Sequence[T]) -> list[U]:
    """The results of ``function``, on ever smaller parts while memory does not suffice."""
    try:
        return function(items)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if len(items) == 1:
            raise OutOfMemoryError("not enough memory on the device for one image") from error
    torch.cuda.empty_cache()  # outside of the handler, whose error holds on to tensors
    half = (len(items) + 1) // 2
    return _run_splitting(function, items[:half]) + _run_splitting(function, items[half:])

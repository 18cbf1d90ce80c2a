"""Owns a model on its device; everything here runs on a model thread."""

import os
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.inference.batcher import DeviceLostError
from app.inference.runner_selection import select_runner
from app.inference.runners import EagerRunner, Runner, out_of_memory
from vae.checkpoint import Checkpoint
from vae.gaussian import DiagonalGaussian

T = TypeVar("T")
U = TypeVar("U")
Pixels = npt.NDArray[np.uint8]
Posterior = DiagonalGaussian  # of one picture, rows of (1, D), on the CPU


class DeviceError(Exception):
    """The device that was asked for is not there."""


def choose_device(wanted: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device to run on.

    Raises:
        DeviceError: if CUDA was asked for and there is no CUDA device.
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise DeviceError("device is cuda, but PyTorch sees no CUDA device; use auto or cpu")
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def device_count(wanted: Literal["auto", "cpu", "cuda"]) -> int:
    """How many CUDA devices there are to run on, 0 where the CPU is meant."""
    return 0 if wanted == "cpu" else torch.cuda.device_count()


class OutOfMemoryError(Exception):
    """The device has no memory for even one picture at the moment."""


class Engine:
    """A model on a device: lists of pictures or latents in, as many answers out.

    Args:
        checkpoint: the model.
        device: where to run it.
        one_by_one: run batches of one only, so that an answer cannot depend on its company.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device, batch_size_one: bool) -> None:
        self._device = device
        self._batch_size_one = batch_size_one
        # Else CUDA rounds float32 to TensorFloat-32, which is no measure for half precision.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        self._model = checkpoint.model
        self._plain = EagerRunner(checkpoint.model, device, torch.float32)
        self._runner: Runner = self._plain
        if batch_size_one:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS refuses
            torch.use_deterministic_algorithms(True)

    @torch.inference_mode()
    def encode_many(self, pictures: list[Pixels]) -> list[Posterior]:
        """The posterior of each picture, uint8 ``(S, S, C)`` of the model's shape.

        Raises:
            OutOfMemoryError: if there is no memory for one picture.
            DeviceLostError: if the device answers nothing any more.
        """

        def encode(batch: Sequence[Pixels]) -> list[Posterior]:
            mean, logvar = self._runner.encode(torch.from_numpy(np.stack(batch)))
            rows = zip(mean.split(1), logvar.split(1), strict=True)  # type: ignore[no-untyped-call]
            return [DiagonalGaussian(m, v) for m, v in rows]

        return self._in_batches(encode, pictures)

    @torch.inference_mode()
    def decode_many(self, latents: list[Tensor]) -> list[Pixels]:
        """The picture of each latent ``(D,)``, uint8 ``(S, S, C)``.

        Raises:
            OutOfMemoryError: if there is no memory for one picture.
            DeviceLostError: if the device answers nothing any more.
        """

        def decode(batch: Sequence[Tensor]) -> list[Pixels]:
            return list(self._runner.decode(torch.stack(list(batch))).numpy())

        return self._in_batches(decode, latents)

    @torch.inference_mode()
    def warm_up(self, max_batch: int) -> None:
        """Choose how to run the model on this device, and run it once each way."""
        if not self._batch_size_one:
            self._runner = select_runner(self._plain, self._model, max_batch)
        config = self._model.config
        blank = np.zeros((config.size, config.size, config.channels), np.uint8)
        for count in (1, max_batch):
            self.encode_many([blank] * count)
            self.decode_many([torch.zeros(config.latent_dim)] * count)

    def _in_batches(self, run: Callable[[Sequence[T]], list[U]], items: list[T]) -> list[U]:
        step = 1 if self._batch_size_one else max(1, len(items))
        batches = (items[i : i + step] for i in range(0, len(items), step))
        try:
            return [answer for batch in batches for answer in _run_splitting(run, batch)]
        except RuntimeError as error:
            if _lost(self._device):
                raise DeviceLostError("the device is lost; the service is ending") from error
            raise


def _lost(device: torch.device) -> bool:
    """Whether a CUDA device fails whatever is asked of it, as after an illegal memory access."""
    if device.type == "cuda":
        try:
            torch.cuda.synchronize(device)
        except RuntimeError:
            return True
    return False


def _run_splitting(run: Callable[[Sequence[T]], list[U]], items: Sequence[T]) -> list[U]:
    """``run`` on all items, or on ever smaller parts of them while memory does not suffice."""
    try:
        return run(items)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        if len(items) == 1:
            raise OutOfMemoryError("no memory on the device for one picture") from error
    torch.cuda.empty_cache()  # outside of the handler, whose error holds on to tensors
    half = (len(items) + 1) // 2
    return _run_splitting(run, items[:half]) + _run_splitting(run, items[half:])

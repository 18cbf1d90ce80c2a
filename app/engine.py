"""Owns a model on its device; everything here runs on the one model thread."""

import os
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vae.checkpoint import Checkpoint
from vae.gaussian import DiagonalGaussian
from vae.pixels import to_float, to_uint8

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


class OutOfMemoryError(Exception):
    """The device has no memory for even one picture at the moment."""


class Engine:
    """A model on a device: lists of pictures or latents in, as many answers out.

    Args:
        checkpoint: the model.
        device: where to run it.
        one_by_one: run batches of one only, so that an answer cannot depend on its company.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device, one_by_one: bool) -> None:
        self._device = device
        self._one_by_one = one_by_one
        self._config = checkpoint.model.config
        self._model = checkpoint.model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if one_by_one:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS refuses
            torch.use_deterministic_algorithms(True)

    @torch.inference_mode()
    def encode_many(self, pictures: list[Pixels]) -> list[Posterior]:
        """The posterior of each picture, uint8 ``(S, S, C)`` of the model's shape.

        Raises:
            OutOfMemoryError: if there is no memory for one picture.
        """

        def encode(batch: Sequence[Pixels]) -> list[Posterior]:
            x = to_float(torch.from_numpy(np.stack(batch)).to(self._device))
            posterior = self._model.encode(x.contiguous(memory_format=torch.channels_last))
            mean, logvar = posterior.mean.cpu(), posterior.logvar.cpu()
            rows = zip(mean.split(1), logvar.split(1), strict=True)
            return [DiagonalGaussian(m, v) for m, v in rows]

        return self._in_batches(encode, pictures)

    @torch.inference_mode()
    def decode_many(self, latents: list[Tensor]) -> list[Pixels]:
        """The picture of each latent ``(D,)``, uint8 ``(S, S, C)``.

        Raises:
            OutOfMemoryError: if there is no memory for one picture.
        """

        def decode(batch: Sequence[Tensor]) -> list[Pixels]:
            z = torch.stack(list(batch)).to(self._device)
            return list(to_uint8(self._model.decode(z)).cpu().numpy())

        return self._in_batches(decode, latents)

    def warm_up(self, max_batch: int) -> None:
        """Run both ways once for one picture and for a full batch: kernels, caches, memory."""
        blank = np.zeros((self._config.size, self._config.size, self._config.channels), np.uint8)
        for count in (1, max_batch):
            self.encode_many([blank] * count)
            self.decode_many([torch.zeros(self._config.latent_dim)] * count)

    def _in_batches(self, run: Callable[[Sequence[T]], list[U]], items: list[T]) -> list[U]:
        step = 1 if self._one_by_one else max(1, len(items))
        batches = (items[i : i + step] for i in range(0, len(items), step))
        return [answer for batch in batches for answer in _halving(run, batch)]


def _halving(run: Callable[[Sequence[T]], list[U]], items: Sequence[T]) -> list[U]:
    """``run`` on all items, or on ever smaller parts of them while memory does not suffice."""
    try:
        return run(items)
    except torch.OutOfMemoryError as error:
        if len(items) == 1:
            raise OutOfMemoryError("no memory on the device for one picture") from error
    torch.cuda.empty_cache()  # outside of the handler, whose error holds on to tensors
    half = (len(items) + 1) // 2
    return _halving(run, items[:half]) + _halving(run, items[half:])

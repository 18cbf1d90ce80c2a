"""Run a model on batches: eagerly or traced, in full or half precision."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from app.inference.traced_networks import TracedNetworks
from vae.model import VAE
from vae.pixels import to_float, to_uint8

DETAIL_BATCH = 4  # images in one call of the detail branch on a CPU, whose cache they fit into
MAX_ABS_LATENT = 12.0  # for half precision; samples at temperature 2 reach 10
OUT_OF_MEMORY_MESSAGES = (
    "out of memory",
    "can't allocate memory",  # PyTorch's allocator for the CPU
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


class Runner(Protocol):
    """Batches in, batches out, all on the CPU."""

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar, float32 ``(N, D)``, of uint8 ``(N, S, S, C)``."""

    def decode(self, latents: Tensor, detail: Tensor) -> Tensor:
        """Images, uint8 ``(N, S, S, C)``, of float32 ``(N, D)``.

        Args:
            latents: to decode.
            detail: float32 ``(N,)`` in [0, 1], see ``VAE.decode_with_detail``.
        """


class EagerRunner:
    """The model on its device, one kernel after the other.

    Args:
        model: the model.
        device: where to run it.
        dtype: float32, float16 or bfloat16.
        graphs: traces its networks; None runs them eagerly.
    """

    def __init__(
        self,
        model: VAE,
        device: torch.device,
        dtype: torch.dtype,
        graphs: TracedNetworks | None = None,
    ) -> None:
        self.device, self.dtype = device, dtype
        self._model = model.for_inference().to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._split: tuple[nn.Module, nn.Module] | None = None
        if model.detail is not None:
            self._split = self._model.split_decoder()
        if graphs is not None:
            self._trace(graphs)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar, float32 ``(N, D)``, of uint8 ``(N, S, S, C)``."""
        mean, logvar = self.encode_on_device(images.to(self.device))
        return mean.cpu(), logvar.cpu()

    def decode(self, latents: Tensor, detail: Tensor) -> Tensor:
        """Images, uint8 ``(N, S, S, C)``, of float32 ``(N, D)``."""
        if detail.any():
            rows = torch.cat([latents, detail[:, None]], dim=1)
            [images] = self.decode_with_detail_on_device(rows.to(self.device))
        else:
            [images] = self.decode_on_device(latents.to(self.device))
        return images.cpu()

    def encode_on_device(self, images: Tensor) -> tuple[Tensor, ...]:
        """``encode`` without copies between host and device."""
        x = to_float(images, self.dtype).contiguous(memory_format=torch.channels_last)
        posterior = self._model.encode(x)
        return posterior.mean, posterior.logvar

    def decode_on_device(self, latents: Tensor) -> tuple[Tensor, ...]:
        """``decode`` at detail 0 without copies between host and device: one output, the images."""
        logits = self._model.decode_logits(latents.to(self.dtype))
        step = len(logits) if self.device.type == "cuda" else 1  # one image fits into the cache
        parts = logits.split(step)
        return (torch.cat([to_uint8(self._model.to_images(part)) for part in parts]),)

    def decode_with_detail_on_device(self, rows: Tensor) -> tuple[Tensor, ...]:
        """``decode_on_device`` of latents with the detail as last value, ``(N, D + 1)``."""
        if self._split is None:
            raise ValueError("this model has no detail branch")
        trunk, head = self._split
        features = trunk(rows[:, :-1].to(self.dtype))
        logits, detail = head(features), rows[:, -1]
        if self.device.type == "cuda":  # a captured graph cannot depend on the values of detail
            residual = self._model.detail_residual(features)
            return (to_uint8(self._model.blend(logits, residual, detail)),)
        return (self._images_in_parts(logits, features, detail),)

    def _images_in_parts(self, logits: Tensor, features: Tensor, detail: Tensor) -> Tensor:
        """uint8 images: pixels are made one image at a time, which fits into the cache."""
        images: list[Tensor] = [torch.empty(0)] * len(logits)
        for i in (detail == 0).nonzero().flatten().tolist():
            images[i] = to_uint8(self._model.to_images(logits[i : i + 1]))
        rows = detail.nonzero().flatten().tolist()
        for part in (rows[k : k + DETAIL_BATCH] for k in range(0, len(rows), DETAIL_BATCH)):
            inputs = features[part].contiguous(memory_format=torch.channels_last)
            residuals = self._model.detail_residual(inputs).split(1)
            for i, residual in zip(part, residuals, strict=True):
                blended = self._model.blend(logits[i : i + 1], residual, detail[i : i + 1])
                images[i] = to_uint8(blended)
        return torch.cat(images)

    def _trace(self, graphs: TracedNetworks) -> None:
        config = self._model.config
        options: dict[str, Any] = {"device": self.device, "dtype": self.dtype}
        image = torch.zeros(1, *config.shape, **options)
        latent = torch.zeros(1, config.latent_dim, **options)

        def traced(part: str, network: nn.Module, example: Tensor) -> nn.Module:
            return graphs.traced((config, self.dtype, part), network, example)

        self._model.encoder = traced("encoder", self._model.encoder, image)
        self._model.decoder = traced("decoder", self._model.decoder, latent)
        if self._split is not None and self._model.detail is not None:
            trunk, head = self._split
            features = trunk(latent)
            self._split = traced("trunk", trunk, latent), traced("head", head, features)
            layers = self._model.detail.layers
            self._model.detail.layers = traced("detail", layers, features)


class RangeGuardedRunner:
    """A fast runner for latents of the range it was checked on; others run in full precision.

    In half precision the error of an image grows with its latent, and a float16 value over 65504
    is infinite. So may be an encoded value; then the images are encoded in full precision.

    Args:
        fast: the runner in half precision.
        exact: the runner in full precision.
        max_abs_latent: largest absolute value in a latent for ``fast``.
    """

    def __init__(self, fast: Runner, exact: Runner, max_abs_latent: float = MAX_ABS_LATENT) -> None:
        self.fast, self.max_abs_latent, self._exact = fast, max_abs_latent, exact

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar, float32 ``(N, D)``, of uint8 ``(N, S, S, C)``."""
        mean, logvar = self.fast.encode(images)
        if mean.isfinite().all() and logvar.isfinite().all():
            return mean, logvar
        return self._exact.encode(images)

    def decode(self, latents: Tensor, detail: Tensor) -> Tensor:
        """Images, uint8 ``(N, S, S, C)``, of float32 ``(N, D)``."""
        in_range = (latents.abs() <= self.max_abs_latent).all(1)  # false for NaN
        if in_range.all():
            return self.fast.decode(latents, detail)
        exact = self._exact.decode(latents[~in_range], detail[~in_range])
        if not in_range.any():
            return exact
        images = exact.new_empty(len(latents), *exact.shape[1:])
        images[in_range] = self.fast.decode(latents[in_range], detail[in_range])
        images[~in_range] = exact
        return images


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error means that host or device have no memory left, whoever raised it."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(message in str(error) for message in OUT_OF_MEMORY_MESSAGES)

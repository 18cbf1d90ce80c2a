"""A checkpoint: one safetensors file that rebuilds its own model and records its provenance."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from vae import checkpoint_parts, tensor_file
from vae import metadata as description
from vae.config import VAEConfig
from vae.directions import Direction
from vae.latent import seeded_noise_and_uniform
from vae.model import VAE
from vae.pixel_regression import PixelRegression
from vae.prior import GaussianMixture, LatentStatistics
from vae.tensor_file import finite

FORMAT = 2
FORMAT_1_PREFIXES = {"kinds.": "within_label.", "kinds_centre.": "within_label_centre."}
FIELDS = ("sigma", "labels", "metrics", "provenance")
INPUT_CONVENTION = "RGB or grey, square, float in [0, 1], N C H W"


class CheckpointError(Exception):
    """A checkpoint that cannot be used; the message says which and what is wrong with it."""


@dataclass(frozen=True)
class Checkpoint:
    """A model and everything that was learned about it.

    Attributes:
        model: in eval mode, float32, on the CPU.
        statistics: of the encoded means.
        directions: named edits.
        sigma: scale of the Gaussian around a reconstruction, in pixel units of [0, 1], fitted to
            the training residuals; None where pixels are Bernoulli (binary cross-entropy).
        labels: names of the labels known in training.
        metrics: results of the last evaluation.
        provenance: data name and hash, licence, command, code and library versions.
        sha256: hash of the file this was loaded from, empty if it was not.
        mixture: the fitted prior; None where there were too few images to fit one, and the prior
            is then the one Gaussian of ``statistics``.
        alignment_template: where the faces of the training images have left eye, right eye, nose,
            left and right corner of the mouth (median of x and y in pixels, by ``vae.faces``);
            None where images are not aligned faces.
        elbo_quantiles: of the evidence lower bound of images like the training set's, in nats,
            ascending, ``(Q,)``: see ``vae.score``; None where it was not measured.
        pixel_regression: of coarse pixels of the training set on its encoded means, for
            ``vae.inpaint``; None where it was not fitted.
    """

    model: VAE
    statistics: LatentStatistics
    directions: dict[str, Direction] = field(default_factory=dict)
    sigma: float | None = None
    labels: list[str] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    mixture: GaussianMixture | None = None
    alignment_template: tuple[tuple[float, float], ...] | None = None
    elbo_quantiles: Tensor | None = None
    pixel_regression: PixelRegression | None = None

    def sample(self, seeds: Sequence[int], temperature: float = 1.0) -> Tensor:
        """Latents sampled from the fitted prior, ``(len(seeds), D)``.

        A row depends on its own seed alone. ``temperature`` scales the noise.
        """
        noise, uniform = seeded_noise_and_uniform(seeds, self.model.config.latent_dim)
        if self.mixture is None:
            return self.statistics.sample(noise, temperature)
        return self.mixture.sample(noise, uniform, temperature)


def save(checkpoint: Checkpoint, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write a checkpoint atomically: the file is the old one or the new one, never half of it.

    Args:
        checkpoint: what to write.
        path: of the file; its folder must exist.
        dtype: of the weights in the file (float32 or float16); loading gives float32.

    Raises:
        CheckpointError: if a number is not finite in the file, which loading would refuse.
    """
    statistics = checkpoint.statistics
    tensors = {f"model.{k}": _stored(v, dtype) for k, v in checkpoint.model.state_dict().items()}
    tensors["latent.mean"] = _stored(statistics.mean, torch.float32)
    tensors["latent.covariance"] = _stored(statistics.covariance, torch.float32)
    if checkpoint.mixture is not None:
        for name in ("weights", "means", "factors"):
            tensors[f"prior.{name}"] = _stored(getattr(checkpoint.mixture, name), torch.float32)
    if checkpoint.elbo_quantiles is not None:
        tensors["elbo.quantiles"] = _stored(checkpoint.elbo_quantiles, torch.float32)
    if checkpoint.pixel_regression is not None:
        parts = vars(checkpoint.pixel_regression).items()
        tensors |= {
            f"pixels.{k}": _stored(v, dtype if k == "weights" else torch.float32) for k, v in parts
        }
    for name, direction in checkpoint.directions.items():
        tensors[f"direction.{name}"] = _stored(direction.vector, torch.float32)
        if (subspace := direction.within_label) is not None:
            tensors[f"within_label.{name}"] = _stored(subspace.rows, torch.float32)
            tensors[f"within_label_centre.{name}"] = _stored(subspace.centre, torch.float32)
    metadata = {
        "format": FORMAT,
        "input": INPUT_CONVENTION,
        "config": asdict(checkpoint.model.config),
        "directions": {
            name: {k: v for k, v in vars(d).items() if k not in ("vector", "within_label")}
            for name, d in checkpoint.directions.items()
        },
        **{name: getattr(checkpoint, name) for name in (*FIELDS, "alignment_template")},
    }
    broken = [k for k, v in tensors.items() if v.is_floating_point() and not v.isfinite().all()]
    if broken:
        raise CheckpointError(f"{path}: not written, {broken[0]} is not finite as {dtype}")
    tensor_file.write_atomically(path, tensors, {"lorgnette": json.dumps(metadata)})


def load(path: Path | str) -> Checkpoint:
    """Read a checkpoint and validate all of it.

    Args:
        path: of a ``.safetensors`` file, or of a folder with ``model.safetensors``.

    Raises:
        CheckpointError: if it is missing, truncated, not a Lorgnette checkpoint, of a newer format,
            or holds weights of the wrong shape or that are not finite.
    """
    file = Path(path, "model.safetensors") if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise CheckpointError(f"{file}: no such checkpoint")
    try:
        return _rebuild(tensor_file.read(file))
    except (CheckpointError, tensor_file.TensorFileError) as error:
        raise CheckpointError(f"{file}: {error}") from None


def stored_dtype(path: Path) -> torch.dtype:
    """The dtype in which the weights of a checkpoint file are stored."""
    with safe_open(path, framework="pt") as reader:
        names = [name for name in reader.keys() if name.startswith("model.")]  # noqa: SIM118
        dtypes = {reader.get_tensor(name).dtype for name in names}
    return torch.float16 if torch.float16 in dtypes else torch.float32


def _rebuild(file: tensor_file.TensorFile) -> Checkpoint:
    if "lorgnette" not in file.metadata:
        raise CheckpointError("a safetensors file, but not one that Lorgnette wrote")
    tensors = {_current_name(name): tensor for name, tensor in file.tensors.items()}
    try:
        fields = json.loads(file.metadata["lorgnette"])
        if fields["format"] > FORMAT:
            raise CheckpointError(
                f"format {fields['format']} is newer than this Lorgnette, which reads up to "
                f"{FORMAT}; upgrade"
            )
        description.check(fields)
        config = VAEConfig.from_dict(fields["config"])
        directions = {
            name: Direction(
                finite(tensors, f"direction.{name}", (config.latent_dim,)),
                within_label=checkpoint_parts.within_label(tensors, name, config.latent_dim),
                **about,
            )
            for name, about in fields["directions"].items()
        }
        with torch.device("meta"):
            model = VAE(config)
        found = {name: fields[name] for name in FIELDS}
        if (template := fields.get("alignment_template")) is not None:
            found["alignment_template"] = tuple((float(x), float(y)) for x, y in template)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"its metadata is damaged ({error!r})") from None
    _load_weights(model, tensors)
    dim = config.latent_dim
    mean = finite(tensors, "latent.mean", (dim,))
    return Checkpoint(
        model=model.eval(),
        statistics=LatentStatistics(mean, finite(tensors, "latent.covariance", (dim, dim))),
        directions=directions,
        sha256=file.sha256,
        mixture=checkpoint_parts.mixture(tensors, dim),
        elbo_quantiles=checkpoint_parts.elbo_quantiles(tensors),
        pixel_regression=checkpoint_parts.pixel_regression(tensors, config),
        **found,
    )


def _current_name(name: str) -> str:
    """A tensor's name in this format."""
    for old, new in FORMAT_1_PREFIXES.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _load_weights(model: VAE, tensors: dict[str, Tensor]) -> None:
    expected = model.state_dict()
    weights = {k.removeprefix("model.") for k in tensors if k.startswith("model.")}
    if surplus := sorted(weights - expected.keys()):
        raise CheckpointError(f"weights that its config does not have: {', '.join(surplus[:3])}")
    model.load_state_dict(
        {k: finite(tensors, f"model.{k}", tuple(v.shape), v.dtype) for k, v in expected.items()},
        assign=True,
    )


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy for the file, which cannot hold tensors that share memory."""
    if tensor.is_floating_point():
        tensor = tensor.to(dtype)
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)

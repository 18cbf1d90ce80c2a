"""A checkpoint is one safetensors file that rebuilds its own model and says where it came from."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vae import metadata as description
from vae.latent import (
    Direction,
    GaussianMixture,
    LatentStatistics,
    WithinLabelSubspace,
    seeded_noise_and_uniform,
)
from vae.model import VAE, VAEConfig

FORMAT = 1
INPUT_CONVENTION = "RGB or grey, square, float in [0, 1], N C H W"
PICKLE_HEADS = (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


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
        metrics: figures of the last evaluation.
        provenance: data name and hash, licence, command, code and library versions.
        sha256: hash of the file this was loaded from, empty if it was not.
        mixture: the fitted prior; None where there were too few pictures to fit one, and the prior
            is then the one Gaussian of ``statistics``.
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

    def sample(self, seeds: Sequence[int], temperature: float = 1.0) -> Tensor:
        """Draws from the fitted prior, ``(len(seeds), D)``; a row depends on its own seed alone."""
        noise, choice = seeded_noise_and_uniform(seeds, self.model.config.latent_dim)
        if self.mixture is None:
            return self.statistics.sample(noise, temperature)
        return self.mixture.sample(noise, choice, temperature)


def save(checkpoint: Checkpoint, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write a checkpoint in one step: the file is the old one or the new one, never half of it.

    Args:
        checkpoint: what to write.
        path: where to; the folder must exist.
        dtype: of the weights in the file (float32 or float16); loading gives float32.

    Raises:
        CheckpointError: if a number is not finite in the file, which loading would refuse.
    """
    statistics = checkpoint.statistics
    tensors = {f"model.{k}": _stored(v, dtype) for k, v in checkpoint.model.state_dict().items()}
    tensors["latent.mean"] = _stored(statistics.mean, torch.float32)
    tensors["latent.covariance"] = _stored(statistics.covariance, torch.float32)
    if checkpoint.mixture is not None:
        parts = vars(checkpoint.mixture).items()
        tensors |= {f"prior.{k}": _stored(v, torch.float32) for k, v in parts}
    directions = {}
    for name, direction in checkpoint.directions.items():
        tensors[f"direction.{name}"] = _stored(direction.vector, torch.float32)
        if direction.within_label is not None:
            tensors[f"kinds.{name}"] = _stored(direction.within_label.rows, torch.float32)
            tensors[f"kinds_centre.{name}"] = _stored(direction.within_label.centre, torch.float32)
        about = {k: v for k, v in vars(direction).items() if k not in ("vector", "within_label")}
        directions[name] = about
    metadata = {
        "format": FORMAT,
        "input": INPUT_CONVENTION,
        "config": asdict(checkpoint.model.config),
        "directions": directions,
        "sigma": checkpoint.sigma,
        "labels": checkpoint.labels,
        "metrics": checkpoint.metrics,
        "provenance": checkpoint.provenance,
    }
    broken = [k for k, v in tensors.items() if v.is_floating_point() and not v.isfinite().all()]
    if broken:
        raise CheckpointError(f"{path}: not written, {broken[0]} is not finite as {dtype}")
    write_atomically(path, tensors, {"lorgnette": json.dumps(metadata)})


def write_atomically(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file beside ``path``, flush it to the disk, and rename it there."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.touch()
        mode = partial.stat().st_mode
        save_file(tensors, partial, metadata)
        partial.chmod(mode)  # as the umask grants; save_file leaves it to the owner alone
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and check all of it.

    Raises:
        CheckpointError: if it is missing, truncated, not a Lorgnette checkpoint, of a newer format,
            or holds weights of the wrong shape or that are not finite.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        with path.open("rb") as file:
            head = file.read(2)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with safe_open(path, framework="pt") as reader:
            metadata = reader.metadata() or {}
            tensors = {name: reader.get_tensor(name) for name in reader.keys()}  # noqa: SIM118
    except SafetensorError as error:
        if head in PICKLE_HEADS:
            raise CheckpointError(
                f"{path}: this is a pickle (torch.save); only safetensors files are loaded, "
                "since a pickle can run code"
            ) from None
        raise CheckpointError(f"{path}: truncated, or not a safetensors file ({error})") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None
    try:
        return _rebuild(tensors, metadata, sha256)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def stored_dtype(path: Path) -> torch.dtype:
    """The type in which the weights of a checkpoint file are stored."""
    with safe_open(path, framework="pt") as reader:
        kinds = {
            reader.get_tensor(name).dtype
            for name in reader.keys()  # noqa: SIM118
            if name.startswith("model.")
        }
    return torch.float16 if torch.float16 in kinds else torch.float32


def _rebuild(tensors: dict[str, Tensor], metadata: dict[str, str], sha256: str) -> Checkpoint:
    if "lorgnette" not in metadata:
        raise CheckpointError("a safetensors file, but not one that Lorgnette wrote")
    try:
        facts = json.loads(metadata["lorgnette"])
        newest = facts["format"]
        if newest > FORMAT:
            raise CheckpointError(
                f"format {newest} is newer than this Lorgnette, which reads up to {FORMAT}; upgrade"
            )
        description.check(facts)
        config = VAEConfig.from_dict(facts["config"])
        with torch.device("meta"):
            model = VAE(config)
        directions = {
            name: Direction(
                _finite(tensors, f"direction.{name}", (config.latent_dim,)),
                within_label=_within_label(tensors, name, config.latent_dim),
                **about,
            )
            for name, about in facts["directions"].items()
        }
        sigma, labels = facts["sigma"], facts["labels"]
        metrics, provenance = facts["metrics"], facts["provenance"]
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"its metadata is damaged ({error!r})") from None
    dim = config.latent_dim
    expected = model.state_dict()
    weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    if surplus := sorted(weights.keys() - expected.keys()):
        raise CheckpointError(f"weights that its config does not have: {', '.join(surplus[:3])}")
    model.load_state_dict(
        {k: _finite(tensors, f"model.{k}", tuple(v.shape), v.dtype) for k, v in expected.items()},
        assign=True,
    )
    statistics = LatentStatistics(
        _finite(tensors, "latent.mean", (dim,)), _finite(tensors, "latent.covariance", (dim, dim))
    )
    return Checkpoint(
        model=model.eval(),
        statistics=statistics,
        directions=directions,
        sigma=sigma,
        labels=labels,
        metrics=metrics,
        provenance=provenance,
        sha256=sha256,
        mixture=_mixture(tensors, dim),
    )


def _within_label(tensors: dict[str, Tensor], name: str, dim: int) -> WithinLabelSubspace | None:
    if f"kinds.{name}" not in tensors:
        return None
    count = len(tensors[f"kinds.{name}"])
    return WithinLabelSubspace(
        rows=_finite(tensors, f"kinds.{name}", (count, dim)),
        centre=_finite(tensors, f"kinds_centre.{name}", (count,)),
    )


def _mixture(tensors: dict[str, Tensor], dim: int) -> GaussianMixture | None:
    if "prior.weights" not in tensors:
        return None
    k = tensors["prior.weights"].numel()
    mixture = GaussianMixture(
        weights=_finite(tensors, "prior.weights", (k,)),
        means=_finite(tensors, "prior.means", (k, dim)),
        factors=_finite(tensors, "prior.factors", (k, dim, dim)),
    )
    if k < 1 or mixture.weights.min() < 0 or abs(float(mixture.weights.sum()) - 1) > 1e-3:
        raise CheckpointError("prior.weights are no probabilities")
    return mixture


def _finite(
    tensors: dict[str, Tensor],
    name: str,
    shape: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The tensor of this name as this type, of this shape and finite."""
    if name not in tensors:
        raise CheckpointError(f"{name} is missing")
    tensor = tensors[name]
    if tuple(tensor.shape) != shape:
        raise CheckpointError(f"{name} is {tuple(tensor.shape)}, its config says {shape}")
    if tensor.is_floating_point() != dtype.is_floating_point:
        raise CheckpointError(f"{name} is {tensor.dtype}, its config says {dtype}")
    tensor = tensor.to(dtype)
    if not tensor.isfinite().all():
        raise CheckpointError(f"{name} holds NaN or infinity")
    return tensor


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy for the file, which refuses tensors that share memory."""
    if tensor.is_floating_point():
        tensor = tensor.to(dtype)
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)

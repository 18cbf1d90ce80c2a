"""Figures on pictures that were never trained on."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from training.analysis.statistics import batches, device_of, encoded_means
from training.data.sources import Dataset
from vae.checkpoint import Checkpoint
from vae.directions import apply_directions
from vae.model import VAE
from vae.pixels import to_float

MIN_MS_SSIM_SIZE = 176  # five scales of an 11-pixel window
ACTIVE_VARIANCE = 0.01
DONORS = 3


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio a picture in dB, for ``(N, C, S, S)`` in [0, 1]."""
    mse = (x - y).square().flatten(1).mean(1)
    return -10.0 * mse.clamp_min(1e-10).log10()


@torch.inference_mode()
def evaluate(checkpoint: Checkpoint, data: Dataset) -> dict[str, Any]:
    """Reconstruction, rate and edit figures, means over the pictures of ``data``.

    ``distortion_nats`` is the negative log-likelihood of the pixels around the reconstruction of
    one posterior sample: a Gaussian of the checkpoint's ``sigma``, or Bernoulli where it has none;
    ``elbo_nats`` is minus the sum of distortion and rate. A latent dimension is active if its mean
    varies by more than 0.01 (Burda et al., "Importance Weighted Autoencoders", 2016, section 5).
    """
    model = checkpoint.model
    device = device_of(model)
    generator = torch.Generator(device).manual_seed(0)
    sums: dict[str, float] = {}
    found: dict[str, Tensor | float]
    means = []
    for x in batches(data, device):
        posterior = model.encode(x)
        copy = model.decode(posterior.mean)
        found = {
            "psnr_db": psnr(copy, x).sum(),
            "ssim": len(x) * _ssim(copy, x),
            "rate_nats": posterior.kl().sum(),
            "distortion_nats": _distortion(model, checkpoint.sigma, posterior.sample(generator), x),
        }
        if model.config.size >= MIN_MS_SSIM_SIZE:
            found["ms_ssim"] = len(x) * _ms_ssim(copy, x)
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + float(value)
        means.append(posterior.mean.cpu())
    metrics: dict[str, Any] = {name: value / len(data) for name, value in sums.items()}
    metrics["elbo_nats"] = -(metrics["distortion_nats"] + metrics["rate_nats"])
    variance = torch.cat(means).var(0, unbiased=False)
    metrics["active_units"] = int((variance > ACTIVE_VARIANCE).sum())
    metrics["latent_dim"] = model.config.latent_dim
    metrics["pictures"] = len(data)
    if {"identity", "frame", "frame_color"} <= data.tags.keys():
        metrics["edits"] = counterfactual_edits(checkpoint, data)
    return metrics


def _ssim(x: Tensor, y: Tensor) -> float:
    value = structural_similarity_index_measure(x.contiguous(), y.contiguous(), data_range=1.0)
    assert isinstance(value, Tensor)
    return float(value)


def _ms_ssim(x: Tensor, y: Tensor) -> float:
    return float(
        multiscale_structural_similarity_index_measure(
            x.contiguous(), y.contiguous(), data_range=1.0
        )
    )


def _distortion(model: VAE, sigma: float | None, z: Tensor, x: Tensor) -> Tensor:
    """Negative log-likelihood in nats, summed over the batch."""
    if sigma is None:
        logits = model.decode_logits(z).float()
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    squared = (model.decode(z) - x).square().sum()
    return 0.5 * squared / sigma**2 + x.numel() * (math.log(sigma) + 0.5 * math.log(2 * math.pi))


@torch.inference_mode()
def counterfactual_edits(checkpoint: Checkpoint, data: Dataset) -> dict[str, dict[str, float]]:
    """How near each kind of edit comes to its true answer, mean PSNR in dB.

    Every identity of ``data`` is there bare and in two frames, so that the truth of an edit is a
    picture. Donors are up to three other identities, each seen with and without the frame in
    question. For each edit: ``edit`` is the decode of the arithmetic, ``nothing`` that of the
    unedited latent, ``ceiling`` the reconstruction of the truth itself; ``preserved_edit`` adds the
    change to the original pixels, and ``preserved_nothing`` is the original as it was. ``nearer``
    is the share of edits that come nearer to their truth than to the original picture.
    """
    model = checkpoint.model
    means = encoded_means(model, data)
    worn, bare = _by_frame(data)
    cases: dict[str, list[tuple[int, int, Tensor]]] = {
        "put on (donors)": [],
        "take off (donors)": [],
        "take off (directions)": [],
        "another frame (donors)": [],
    }

    def frame_step(row: int) -> Tensor | None:
        """Mean step from bare to this row's frame, over other people who wear it."""
        key = (data.tags["frame"][row], data.tags["frame_color"][row])
        donors = [r for r in worn[key] if data.tags["identity"][r] != data.tags["identity"][row]]
        if not donors:
            return None
        steps = [means[r] - means[bare[data.tags["identity"][r]]] for r in donors[:DONORS]]
        return torch.stack(steps).mean(0)

    def labelled(source: int, truth: int) -> Tensor:
        """What the directions of the labels by which two rows differ do to the first."""
        terms = [
            (float(data.labels[name][truth] - data.labels[name][source]), direction)
            for name, direction in checkpoint.directions.items()
            if name in data.labels
        ]
        return apply_directions(means[source], terms) - means[source]

    seen: dict[str, tuple[int, Tensor]] = {}  # each identity's first frame and the step to it
    for row, identity in enumerate(data.tags["identity"]):
        step = frame_step(row) if data.tags["frame"][row] else None
        if step is None or identity not in bare:
            continue
        cases["put on (donors)"].append((bare[identity], row, step))
        cases["take off (donors)"].append((row, bare[identity], -step))
        off = labelled(row, bare[identity])
        cases["take off (directions)"].append((row, bare[identity], off))
        if identity in seen:
            first, first_step = seen[identity]
            cases["another frame (donors)"].append((first, row, step - first_step))
        seen[identity] = (row, step)
    return {name: _judge(model, data, means, found) for name, found in cases.items() if found}


def _by_frame(data: Dataset) -> tuple[dict[tuple[str, str], list[int]], dict[str, int]]:
    """Rows by frame and colour, and the bare row of each identity."""
    worn: dict[tuple[str, str], list[int]] = {}
    bare: dict[str, int] = {}
    for row, (identity, frame, color) in enumerate(
        zip(data.tags["identity"], data.tags["frame"], data.tags["frame_color"], strict=True)
    ):
        if frame:
            worn.setdefault((frame, color), []).append(row)
        else:
            bare[identity] = row
    return {k: [r for r in v if data.tags["identity"][r] in bare] for k, v in worn.items()}, bare


def _judge(
    model: VAE, data: Dataset, means: Tensor, cases: list[tuple[int, int, Tensor]]
) -> dict[str, float]:
    device = device_of(model)

    def pictures(rows: list[int]) -> Tensor:
        return to_float(data.batch(np.array(rows)).to(device))

    def decode(z: Tensor) -> Tensor:
        return model.decode(z.to(device))

    scores: dict[str, list[Tensor]] = {}
    measure: Callable[[str, Tensor, Tensor], None] = lambda name, x, y: (  # noqa: E731
        scores.setdefault(name, []).append(psnr(x, y).cpu())
    )
    for start in range(0, len(cases), 32):
        sources, truths, steps = zip(*cases[start : start + 32], strict=True)
        x, truth = pictures(list(sources)), pictures(list(truths))
        z = means[list(sources)]
        plain, after = decode(z), decode(z + torch.stack(steps))
        measure("edit", after, truth)
        measure("nothing", plain, truth)
        measure("ceiling", decode(means[list(truths)]), truth)
        measure("preserved_edit", (x + after - plain).clamp(0, 1), truth)
        measure("preserved_nothing", x, truth)
        scores.setdefault("nearer", []).append((psnr(after, truth) > psnr(after, x)).float().cpu())
    return {name: float(torch.cat(found).mean()) for name, found in scores.items()}

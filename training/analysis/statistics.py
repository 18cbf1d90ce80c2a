"""What a trained encoder makes of a data set: latent statistics, directions, residual scale."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.data.sources import Dataset, Labels
from vae.directions import (
    Direction,
    WithinLabelSubspace,
    fit_within_label_subspace,
    group_direction,
    regressed_directions,
)
from vae.model import VAE
from vae.pixels import to_float
from vae.prior import GaussianMixture, LatentStatistics

BATCH = 32
MAX_COMPONENTS = 64
MAX_WORDS = 12  # a tag of more is a name or a sentence
MIN_TAGGED = 20  # pictures
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")  # as in expressions
KMEANS_STEPS = 15
EM_STEPS = 30


def batches(data: Dataset, device: torch.device) -> Iterator[Tensor]:
    """All pictures of a data set in order, float ``(B, C, S, S)`` on the device."""
    for start in range(0, len(data), BATCH):
        index = np.arange(start, min(start + BATCH, len(data)))
        x = to_float(data.batch(index).to(device))
        yield x.contiguous(memory_format=torch.channels_last)


def device_of(model: VAE) -> torch.device:
    """Where a model's weights are."""
    return next(model.parameters()).device


@torch.inference_mode()
def encoded_means(model: VAE, data: Dataset) -> Tensor:
    """The posterior means of all pictures, ``(N, D)``. Means, never samples of the posterior."""
    found = [model.encode(x).mean.cpu() for x in batches(data, device_of(model))]
    return torch.cat(found)


@torch.inference_mode()
def residual_scale(model: VAE, data: Dataset) -> float:
    """Root mean square of the reconstruction error, in pixel units of [0, 1].

    The maximum-likelihood scale of a Gaussian around the reconstruction: Rybkin et al., "Simple and
    Effective VAE Training with Calibrated Decoders", 2021, equation 4.
    """
    total, count = 0.0, 0
    for x in batches(data, device_of(model)):
        total += float((model.decode(model.encode(x).mean) - x).double().square().sum())
        count += x.numel()
    return float(np.sqrt(max(total / count, 1e-12)))


def statistics(means: Tensor) -> LatentStatistics:
    """Mean and covariance of encoded means ``(N, D)``."""
    if len(means) < 2:
        return LatentStatistics(means.mean(0), torch.zeros(means.shape[1], means.shape[1]))
    return LatentStatistics(means.mean(0), torch.cov(means.T).reshape(means.shape[1], -1))


def fit_mixture(means: Tensor, columns: Labels | None = None) -> GaussianMixture | None:
    """A mixture of full Gaussians fitted to encoded means ``(N, D)``.

    The pictures are first parted by what is known of them, as a regression tree does (Breiman et
    al., "Classification and Regression Trees", 1984): by the column that explains most of the
    variance of the codes, while each part keeps ``4 * D`` pictures and a 64th of all. Components
    are then fitted to each part by expectation-maximisation. So no component has a half of two
    kinds, such as glasses and none, and no sample is drawn from between them. None if there are too
    few pictures for two components.

    Args:
        means: ``(N, D)``.
        columns: 0/1 columns ``(N,)``, as ``indicators`` gives them; others are left out,
            and what is not known counts as 0.
    """
    count, dim = means.shape
    least = max(4 * dim, -(-count // MAX_COMPONENTS))
    if count < 2 * least:
        return None
    binary = [c for c in (columns or {}).values() if np.isin(c[np.isfinite(c)], (0, 1)).all()]
    table = torch.from_numpy(np.stack(binary, axis=1) > 0.5) if binary else None
    floor = 1e-3 * float(means.var(0).mean().clamp_min(1e-12))
    leaves = _leaves(means.double(), table, torch.arange(count), least)
    parts = [_expectation_maximisation(means[leaf], len(leaf) // least, floor) for leaf in leaves]
    shares = [part.weights * len(leaf) / count for part, leaf in zip(parts, leaves, strict=True)]
    return GaussianMixture(
        torch.cat(shares),
        torch.cat([p.means for p in parts]),
        torch.cat([p.factors for p in parts]),
    )


def _leaves(x: Tensor, table: Tensor | None, rows: Tensor, least: int) -> list[Tensor]:
    """Rows parted by the columns of a table of booleans, each part of ``least`` or more."""
    if table is None or len(rows) < 2 * least:
        return [rows]
    inside = table[rows].double()
    sizes = inside.sum(0)
    possible = (sizes >= least) & (len(rows) - sizes >= least)
    if not possible.any():
        return [rows]
    centred = x[rows] - x[rows].mean(0)
    sums = inside.T @ centred  # of those with the column; the others' are its negative
    gain = sums.square().sum(1) * (1 / sizes + 1 / (len(rows) - sizes))
    best = int(torch.where(possible, gain, -1.0).argmax())
    chosen = table[rows, best]
    return [*_leaves(x, table, rows[chosen], least), *_leaves(x, table, rows[~chosen], least)]


def _expectation_maximisation(means: Tensor, components: int, floor: float) -> GaussianMixture:
    """Components fitted to ``(N, D)``.

    Dempster, Laird & Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm", 1977,
    begun with Lloyd's k-means; ``floor`` is added to the diagonal of each covariance.
    """
    x = means.double()
    count, dim = x.shape
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    centres = x[order[:components]]
    for _ in range(KMEANS_STEPS):
        nearest = torch.cdist(x, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, x)
        counts = nearest.bincount(minlength=components)[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp_min(1), centres)
    share = torch.nn.functional.one_hot(torch.cdist(x, centres).argmin(1), components).double()
    ridge = floor * torch.eye(dim, dtype=x.dtype)
    for _ in range(EM_STEPS):
        mass = share.sum(0) + 1e-9
        centres = share.T @ x / mass[:, None]
        factors = torch.stack(
            [
                torch.linalg.cholesky((x - c).T @ (s[:, None] * (x - c)) / m + ridge)
                for c, s, m in zip(centres, share.T, mass, strict=True)
            ]
        )
        scaled = torch.linalg.solve_triangular(
            factors, (x - centres[:, None]).transpose(1, 2), upper=False
        )
        log_density = -0.5 * scaled.square().sum(1) - factors.diagonal(dim1=1, dim2=2).log().sum(
            1, keepdim=True
        )
        share = torch.softmax(log_density.T + mass.log(), dim=1)
    weights = (mass / mass.sum()).float()
    return GaussianMixture(weights, centres.float(), factors.float())


@dataclass(frozen=True)
class _Label:
    name: str
    values: Tensor
    unit: float

    @property
    def meaning(self) -> str:
        if self.unit == 1.0:
            return f"{self.name}: from without to with"
        return f"{self.name}: up by {self.unit:.3g}, one standard deviation"


def directions(means: Tensor, data: Dataset) -> dict[str, Direction]:
    """One direction a label, from the encoded means ``(N, D)`` of a labelled data set.

    Labels that vary independently are regressed all at once, so that each direction is free of the
    others; classes, of which each picture has exactly one, are the class mean minus that of the
    rest. A label that is not 0 or 1 is counted in standard deviations.
    """
    labels = [label for label in map(_label, data.labels.items()) if label is not None]
    if not labels:
        return {}
    if data.exclusive:
        return {
            label.name: Direction(
                vector=group_direction(means, label.values),
                meaning=f"{label.name}: from the other classes to this one",
                method="difference of class means",
                count=len(means),
            )
            for label in labels
        }
    table = torch.stack([label.values / label.unit for label in labels], dim=1)
    known = table.isfinite().all(dim=1)
    if not known.any():
        return {}
    vectors = regressed_directions(means[known], table[known])
    method = f"regression on {', '.join(label.name for label in labels)}"
    found = {
        label.name: Direction(
            vector,
            label.meaning,
            method,
            int(known.sum()),
            _within_label(means[known], label, known),
        )
        for label, vector in zip(labels, vectors, strict=True)
    }
    return found | _tag_directions(means[known] - table[known] @ vectors, data, known.numpy())


def _within_label(means: Tensor, label: _Label, known: Tensor) -> WithinLabelSubspace | None:
    """The kinds of a 0/1 label with enough pictures on both sides for their covariances."""
    positives = label.values[known] > 0.5
    enough = 4 * means.shape[1]
    if label.unit != 1.0 or min(int(positives.sum()), int((~positives).sum())) < enough:
        return None
    return fit_within_label_subspace(means[positives], means[~positives])


def _tag_directions(rest: Tensor, data: Dataset, known: np.ndarray) -> dict[str, Direction]:
    """What each word of a tag adds to what the labels leave of the codes, ``(N, D)``.

    So ``glasses + frame_color_red`` is red glasses, and both take red ones off best.
    """
    words = {name: column[known] for name, column in indicators(data).items()}
    words = {k: v for k, v in words.items() if k not in data.labels and v.sum() >= MIN_TAGGED}
    if not words:
        return {}
    table = torch.from_numpy(np.stack(list(words.values()), axis=1))
    vectors = regressed_directions(rest, table)
    return {
        name: Direction(
            vector=vector,
            meaning=f"{name}: from the average to this one, other labels as they are",
            method="regression on all tags of what the labels leave",
            count=int(column.sum()),
        )
        for (name, column), vector in zip(words.items(), vectors, strict=True)
    }


def indicators(data: Dataset) -> Labels:
    """The labels, and a 0/1 column ``TAG_word`` for each word of each tag that has few words."""
    columns = dict(data.labels)
    for tag, words in data.tags.items():
        vocabulary = sorted({word for word in words if word})
        if len(vocabulary) > MAX_WORDS:
            continue
        for word in vocabulary:
            name = f"{tag}_{word}"
            if NAME.fullmatch(name):
                columns[name] = np.array([w == word for w in words], dtype=np.float32)
    return columns


def _label(item: tuple[str, np.ndarray]) -> _Label | None:
    """A label with its unit, or None where it does not vary or is not known."""
    name, column = item
    values = torch.from_numpy(column)
    known = values[values.isfinite()]
    if len(known) < 2 or known.min() == known.max():
        return None
    binary = bool(((known == 0) | (known == 1)).all())
    return _Label(name, values, 1.0 if binary else float(known.std()))

"""The images of a report: samples, reconstructions, paths, edits and principal axes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor

from training.analysis.encoding import device_of, encoded_means
from training.data.dataset import Dataset
from training.evaluate.edit_evaluation import SUMS
from vae import latent
from vae.checkpoint import Checkpoint
from vae.directions import Direction, apply_directions
from vae.model import VAE
from vae.pixels import to_uint8

Pixels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
ROW = 8  # images
GAP = 4  # pixels of white between tiles
CAPTION = 16  # pixels of height
MIN_CAPTIONED = 96  # pixels of width that a caption takes
SCATTER_IMAGES = 10_000


@torch.inference_mode()
def decode(model: VAE, z: Tensor) -> list[Pixels]:
    """Images uint8 ``(S, S, C)`` of latents ``(N, D)``, in order."""
    device = device_of(model)
    parts = [to_uint8(model.decode(part.to(device))).cpu().numpy() for part in torch.split(z, 32)]
    return [image for part in parts for image in part]


def grid(rows: Sequence[Sequence[Pixels]], captions: Sequence[str] = ()) -> Image.Image:
    """Rows of images of one size with white gaps; with captions of the columns, larger if small."""
    side = rows[0][0].shape[0] * (-(-MIN_CAPTIONED // rows[0][0].shape[0]) if captions else 1)
    top = CAPTION if captions else 0
    width = max(len(row) for row in rows) * (side + GAP) - GAP
    canvas = Image.new("RGB", (width, top + len(rows) * (side + GAP) - GAP), "white")
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            plane = Image.fromarray(image.squeeze())
            tile = plane.resize((side, side), Image.Resampling.NEAREST)
            canvas.paste(tile, (c * (side + GAP), top + r * (side + GAP)))
    pen = ImageDraw.Draw(canvas)
    for c, caption in enumerate(captions):
        pen.text((c * (side + GAP) + 2, 2), caption, fill="black")
    return canvas


def samples(checkpoint: Checkpoint, seeds: Sequence[int], temperature: float = 1.0) -> list[Pixels]:
    """Decoded draws from the fitted prior."""
    return decode(checkpoint.model, checkpoint.sample(seeds, temperature))


def write(
    checkpoint: Checkpoint, data: Dataset, epochs: Path, folder: Path, private: Path | None = None
) -> None:
    """Write all images of the report.

    Args:
        checkpoint: the model.
        data: the test split.
        epochs: folder of the samples that ``fit`` saved epoch by epoch.
        folder: where to write.
        private: where to write what shows images of the data or their reconstructions, if not
            into ``folder`` too.
    """
    model = checkpoint.model
    means = encoded_means(model, data.evenly_spaced(2 * ROW))
    showing_data = {
        "reconstructions": _reconstructions(model, data),
        "interpolation": _interpolation(model, means),
        "directions": _directions(checkpoint, data),
    }
    generated = {
        "samples": grid([samples(checkpoint, range(ROW * r, ROW * r + ROW)) for r in range(3)]),
        "edited_samples": _edited_samples(checkpoint, data),
        "traversals": _traversals(checkpoint),
        "arithmetic": _arithmetic(checkpoint, data),
        "sums": _sums(checkpoint, data),
        "samples_by_epoch": _epochs(epochs),
    }
    _save(showing_data, private or folder)
    _save(generated, folder)
    if model.config.latent_dim == 2:
        _plane(checkpoint, data, folder)


def _save(images: Mapping[str, Image.Image | None], folder: Path) -> None:
    """Write those that there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        if image is not None:
            image.save(folder / f"{name}.png", optimize=True)


def _reconstructions(model: VAE, data: Dataset) -> Image.Image:
    """Images of the test split above their reconstructions, two rows of each."""
    shown = data.evenly_spaced(2 * ROW)
    originals = list(shown.batch(np.arange(len(shown))).numpy())
    reconstructions = decode(model, encoded_means(model, shown))
    rows = []
    for start in range(0, len(shown), ROW):
        rows += [originals[start : start + ROW], reconstructions[start : start + ROW]]
    return grid(rows)


def _interpolation(model: VAE, means: Tensor) -> Image.Image:
    """Paths between neighbours, weights 0 to 1 in steps of 0.2."""
    captions = [f"{w / 5:.1f}" for w in range(6)]
    if len(means) == 1:
        means = means.expand(2, -1)
    pairs = zip(means[0:6:2], means[1:6:2], strict=False)  # an odd one out is left out
    return grid([decode(model, latent.path(a, b, 6)) for a, b in pairs], captions)


def _traversals(checkpoint: Checkpoint) -> Image.Image:
    """The six principal axes of the encoded means, from -3 to 3 standard deviations."""
    values, vectors = torch.linalg.eigh(checkpoint.statistics.covariance)
    weights = torch.linspace(-3, 3, 7)
    rows = []
    for axis in range(1, min(6, len(values)) + 1):
        step = vectors[:, -axis] * values[-axis].clamp_min(0).sqrt()
        z = checkpoint.statistics.mean + weights[:, None] * step
        rows.append(decode(checkpoint.model, z))
    return grid(rows, [f"{w:+.0f} sd" for w in weights])


def _shown_label(checkpoint: Checkpoint, data: Dataset) -> str:
    """Glasses if there is such a direction, else the first label that has one; empty if none."""
    if "glasses" in checkpoint.directions:
        return "glasses"
    known = (label for label in data.labels if _direction_of(checkpoint, label))
    return next(known, next(iter(data.labels), ""))


def _direction_of(checkpoint: Checkpoint, label: str) -> Direction | None:
    """The direction of a label, whose name may be another than the label's; see its meaning."""
    directions = checkpoint.directions
    named = (d for d in directions.values() if d.meaning.startswith(f"{label}: "))
    return directions.get(label) or next(named, None)


def _groups(checkpoint: Checkpoint, data: Dataset) -> tuple[str, Rows, Rows]:
    """The label to show, and rows of images with and without it."""
    name = _shown_label(checkpoint, data)
    label = data.labels.get(name, np.zeros(len(data), np.float32))
    return name, np.flatnonzero(label > 0.5)[:6], np.flatnonzero(label < 0.5)[:6]


def _arithmetic(checkpoint: Checkpoint, data: Dataset) -> Image.Image | None:
    """The tutorial's sum: mean of three with, minus three without, plus three others without."""
    name, with_label, without = _groups(checkpoint, data)
    if len(with_label) < 3 or len(without) < 6:
        return None
    means = encoded_means(checkpoint.model, data.rows_at([*with_label[:3], *without]))
    a, b, c = (means[i : i + 3].mean(0) for i in (0, 3, 6))
    captions = [f"3 with {name}", "- 3 without", "+ 3 others", "= the sum"]
    return grid([decode(checkpoint.model, torch.stack([a, b, c, a - b + c]))], captions)


def _directions(checkpoint: Checkpoint, data: Dataset) -> Image.Image | None:
    """A direction added to three images without its label, and subtracted from three with it."""
    name, with_label, without = _groups(checkpoint, data)
    direction, model = _direction_of(checkpoint, name), checkpoint.model
    if direction is None or not (len(with_label) and len(without)):
        return None
    weights = (0.0, 0.5, 1.0, 1.5)
    rows = []
    for chosen, sign in ((without[:3], 1), (with_label[:3], -1)):
        for z in encoded_means(model, data.rows_at(chosen)):
            steps = [apply_directions(z, [(sign * weight, direction)]) for weight in weights]
            rows.append(decode(model, torch.stack(steps)))
    return grid(rows, [f"{weight:g} {name}" for weight in weights])


def _edited_samples(checkpoint: Checkpoint, data: Dataset) -> Image.Image | None:
    """Samples, and the same with the direction of the label to show added."""
    direction = _direction_of(checkpoint, _shown_label(checkpoint, data))
    if direction is None:
        return None
    z = checkpoint.sample(range(ROW))
    return grid([decode(checkpoint.model, z + w * direction.vector) for w in (0.0, 1.0, 1.5)])


def _sums(checkpoint: Checkpoint, data: Dataset) -> Image.Image | None:
    """The tutorial's sums of means of three faces each, of glasses and sex."""
    if not {"glasses", "male"} <= data.labels.keys():
        return None
    rows = []
    for terms in SUMS.values():
        means = []
        for glasses, male in terms:
            matches = (data.labels["glasses"] == glasses) & (data.labels["male"] == male)
            faces = np.flatnonzero(matches)[:3]
            if not len(faces):
                return None
            means.append(encoded_means(checkpoint.model, data.rows_at(faces)).mean(0))
        a, b, c = means
        rows.append(decode(checkpoint.model, torch.stack([a, b, c, a - b + c])))
    return grid(rows)


def _epochs(folder: Path) -> Image.Image | None:
    """Up to eight of the per-epoch sample rows, evenly spaced, oldest on top."""
    files = sorted(folder.glob("epoch-*.png"))
    if not files:
        return None
    chosen = [files[round(i)] for i in np.linspace(0, len(files) - 1, min(8, len(files)))]
    rows = [Image.open(file).convert("RGB") for file in dict.fromkeys(chosen)]
    canvas = Image.new("RGB", (rows[0].width, sum(r.height + GAP for r in rows) - GAP), "white")
    for i, row in enumerate(rows):
        canvas.paste(row, (0, i * (row.height + GAP)))
    return canvas


def _plane_groups(checkpoint: Checkpoint, data: Dataset) -> dict[str, Rows]:
    """Rows by class; of data whose labels are no classes, with and without one of them."""
    if data.exclusive:
        return {name: np.flatnonzero(column > 0.5) for name, column in data.labels.items()}
    name = _shown_label(checkpoint, data)
    if name not in data.labels:
        return {"all": np.arange(len(data))}
    label = data.labels[name]
    known = {name: label > 0.5, f"without {name}": label <= 0.5, "unknown": np.isnan(label)}
    return {title: np.flatnonzero(rows) for title, rows in known.items() if rows.any()}


def _plane(checkpoint: Checkpoint, data: Dataset, folder: Path) -> None:
    """For a 2-D latent: means by class or label, those through the normal CDF, decoded plane."""
    shown = data.evenly_spaced(SCATTER_IMAGES)
    means = encoded_means(checkpoint.model, shown)
    groups = _plane_groups(checkpoint, shown)
    for file, points in (("scatter", means), ("scatter_cdf", torch.special.ndtr(means))):
        figure = Figure(figsize=(7, 6), layout="constrained")
        axes = figure.add_subplot()
        for name, members in groups.items():
            chosen = points[torch.from_numpy(members)]
            axes.scatter(chosen[:, 0], chosen[:, 1], s=3, label=name)
        axes.legend(markerscale=4, fontsize="small")
        figure.savefig(folder / f"{file}.png", dpi=100)
    ticks = torch.special.ndtri(torch.linspace(0.04, 0.96, 15))
    rows = [decode(checkpoint.model, torch.stack([ticks, y.expand(15)], 1)) for y in ticks.flip(0)]
    grid(rows).save(folder / "plane.png", optimize=True)

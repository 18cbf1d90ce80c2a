"""Pictures that show what a checkpoint can do, written beside it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor

from training.analysis import device_of, encoded_means
from training.data import Dataset
from vae import latent
from vae.checkpoint import Checkpoint
from vae.model import VAE
from vae.pixels import to_float, to_uint8

Picture = npt.NDArray[np.uint8]
ROW = 8
GAP = 4  # pixels of white between tiles
CAPTION = 16  # pixels of height


@torch.inference_mode()
def decode(model: VAE, z: Tensor) -> list[Picture]:
    """Pictures uint8 ``(S, S, C)`` of latents ``(N, D)``, in order."""
    device = device_of(model)
    parts = [to_uint8(model.decode(part.to(device))).cpu().numpy() for part in torch.split(z, 32)]
    return [picture for part in parts for picture in part]


def grid(rows: Sequence[Sequence[Picture]], captions: Sequence[str] = ()) -> Image.Image:
    """Rows of equal pictures with white gaps, and a caption over each column if given."""
    side = rows[0][0].shape[0]
    top = CAPTION if captions else 0
    width = max(len(row) for row in rows) * (side + GAP) - GAP
    board = Image.new("RGB", (width, top + len(rows) * (side + GAP) - GAP), "white")
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            tile = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
            board.paste(tile, (c * (side + GAP), top + r * (side + GAP)))
    pen = ImageDraw.Draw(board)
    for c, caption in enumerate(captions):
        pen.text((c * (side + GAP) + 2, 2), caption, fill="black")
    return board


def samples(
    checkpoint: Checkpoint, seeds: Sequence[int], temperature: float = 1.0
) -> list[Picture]:
    """Decoded draws from the fitted prior."""
    noise = latent.normal(seeds, checkpoint.model.config.latent_dim)
    return decode(checkpoint.model, checkpoint.statistics.draw(noise, temperature))


def write(checkpoint: Checkpoint, data: Dataset, epochs: Path, folder: Path) -> list[str]:
    """Write all pictures of the report and answer their file names.

    Args:
        checkpoint: the model.
        data: the test split.
        epochs: folder of the pictures that ``fit`` saved epoch by epoch.
        folder: where to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = checkpoint.model
    shown = data.head(64)
    means = encoded_means(model, shown)
    originals = list(shown.batch(np.arange(len(shown))).numpy())
    copies = decode(model, means)
    board = {
        "reconstructions": grid([originals[:ROW], copies[:ROW]]),
        "samples": grid([samples(checkpoint, range(ROW * r, ROW * r + ROW)) for r in range(3)]),
        "interpolation": _interpolation(model, means),
        "traversals": _traversals(checkpoint),
        "arithmetic": _arithmetic(checkpoint, data),
    }
    if progress := _epochs(epochs):
        board["samples_by_epoch"] = progress
    for name, picture in board.items():
        picture.save(folder / f"{name}.png", optimize=True)
    names = [f"{name}.png" for name in board]
    if model.config.latent_dim == 2:
        names += _plane(checkpoint, data, folder)
    return names


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


def _arithmetic(checkpoint: Checkpoint, data: Dataset) -> Image.Image:
    """The tutorial's sum, and the first named direction in steps of a half, on test pictures."""
    model = checkpoint.model
    name = "glasses" if "glasses" in checkpoint.directions else next(iter(data.labels), "")
    label = data.labels.get(name, np.zeros(len(data), np.float32))
    with_it, without = (np.flatnonzero(c)[:64] for c in (label > 0.5, label < 0.5))
    if not (len(with_it) and len(without) >= 2):
        return grid([decode(model, checkpoint.statistics.mean[None])])

    def means(rows: npt.NDArray[np.int64]) -> Tensor:
        x = to_float(data.batch(rows).to(device_of(model)))
        with torch.inference_mode():
            return model.encode(x).mean.cpu()

    wearers, others = means(with_it), means(without)
    a, b, c = (
        wearers[:3].mean(0),
        others[:3].mean(0),
        others[3:6] if len(others) > 3 else others[:1],
    )
    target = c.mean(0)
    weights = torch.tensor([0.0, 0.5, 1.0, 1.5])
    rows = [decode(model, torch.stack([a, b, target, a - b + target]))]
    if name in checkpoint.directions:
        vector = checkpoint.directions[name].vector
        for z, sign in [*((z, 1.0) for z in c[:3]), *((z, -1.0) for z in wearers[3:6])]:
            rows.append(decode(model, z + sign * weights[:, None] * vector))
    return grid(rows, [f"with {name} / 0", "- without / 0.5", "+ target / 1", "= / 1.5"])


def _epochs(folder: Path) -> Image.Image | None:
    """Up to eight of the per-epoch sample rows, evenly spaced, oldest on top."""
    files = sorted(folder.glob("epoch-*.png"))
    if not files:
        return None
    chosen = [files[round(i)] for i in np.linspace(0, len(files) - 1, min(8, len(files)))]
    rows = [Image.open(file).convert("RGB") for file in dict.fromkeys(chosen)]
    board = Image.new("RGB", (rows[0].width, sum(r.height + GAP for r in rows) - GAP), "white")
    for i, row in enumerate(rows):
        board.paste(row, (0, i * (row.height + GAP)))
    return board


def _plane(checkpoint: Checkpoint, data: Dataset, folder: Path) -> list[str]:
    """For a 2-D latent: the codes by class, the same through the normal CDF, the decoded plane."""
    codes = encoded_means(checkpoint.model, data.head(10_000))
    names = list(data.labels)
    columns = np.stack([data.labels[n][: len(codes)] for n in names]) if names else None
    classes = columns.argmax(0) if columns is not None else np.zeros(len(codes), np.int64)
    for file, points in (("scatter", codes), ("scatter_cdf", torch.special.ndtr(codes))):
        figure = Figure(figsize=(7, 6), layout="constrained")
        axes = figure.add_subplot()
        for i, name in enumerate(names or ["all"]):
            chosen = points[torch.from_numpy(classes == i)]
            axes.scatter(chosen[:, 0], chosen[:, 1], s=3, label=name)
        axes.legend(markerscale=4, fontsize="small")
        figure.savefig(folder / f"{file}.png", dpi=100)
    ticks = torch.special.ndtri(torch.linspace(0.04, 0.96, 15))
    rows = [decode(checkpoint.model, torch.stack([ticks, y.expand(15)], 1)) for y in ticks.flip(0)]
    grid(rows).save(folder / "plane.png", optimize=True)
    return ["scatter.png", "scatter_cdf.png", "plane.png"]

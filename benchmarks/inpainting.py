"""Filled parts of faces, by text-book masks: how near they are, and how much draws differ."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from app.inference.engine import DecoderInput, Engine, Pixels
from app.operations.pixels import to_pixels, to_tensor
from benchmarks.detection import chosen_pictures
from benchmarks.markdown import table
from benchmarks.servers.work import FILE
from vae import checkpoint
from vae.checkpoint import Checkpoint
from vae.inpaint import filled, latent_posterior
from vae.latent import seeded_noise
from vae.preprocessing import to_square

COUNT = 48  # pictures
DRAWS = 4
CHAIN = 8  # encoder calls after the first
RESULT = "inpainting.json"


class NoRegressionError(Exception):
    """The checkpoint has no pixel regression."""


@dataclass
class Row:
    """What one method made of all pictures with one mask.

    Attributes:
        errors: mean squared error of the unknown pixels in [0, 1], one a result.
        spreads: standard deviation of the unknown pixels over the draws, in grey levels, one a
            picture; empty for a method that makes one result.
        seconds: one a result.
    """

    errors: list[float] = field(default_factory=list)
    spreads: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def masks(size: int) -> dict[str, Tensor]:
    """Where a face is unknown, ``(1, 1, S, S)``."""
    found = {
        name: torch.zeros(1, 1, size, size)
        for name in ("lower half", "left half", "eyes", "random 50%")
    }
    found["lower half"][..., size // 2 :, :] = 1.0
    found["left half"][..., : size // 2] = 1.0
    top, bottom, left, right = (round(x * size / 256) for x in (50, 105, 40, 216))
    found["eyes"][..., top:bottom, left:right] = 1.0
    noise = torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(1))
    found["random 50%"] = (noise < 0.5).float()
    return found


def run(out: Path, faces: Path, count: int = COUNT) -> list[Path]:
    """Fill in parts of pictures, and write the errors and a table to a folder.

    Args:
        out: folder for the results.
        faces: folder of pictures as the model was trained on, which it has not seen.
        count: pictures that are used.

    Returns:
        the files that were written.

    Raises:
        NoRegressionError: if the checkpoint cannot fill in parts.
        NoPicturesError: if there is no picture in ``faces``.
    """
    loaded = checkpoint.load(FILE)
    if loaded.pixel_regression is None:
        raise NoRegressionError(f"{FILE} has no pixel regression, by which parts are filled in")
    files = chosen_pictures(faces, count)
    config = loaded.model.config
    engine = Engine(loaded, torch.device("cpu"), batch_size_one=False)
    engine.warm_up(1)
    pictures = [to_square(Image.open(f), config.size, config.channels) for f in files]
    rows = {
        name: _measured(loaded, engine, pictures, mask) for name, mask in masks(config.size).items()
    }
    out.mkdir(parents=True, exist_ok=True)
    raw, page = out / RESULT, out / "inpainting.md"
    values = {m: {k: _rounded(row) for k, row in by.items()} for m, by in rows.items()}
    raw.write_text(json.dumps(values) + "\n")
    page.write_text("\n".join(_page(rows, len(files))) + "\n")
    return [raw, page]


def _measured(
    loaded: Checkpoint, engine: Engine, pictures: list[Pixels], mask: Tensor
) -> dict[str, Row]:
    """What each method makes of all pictures with one mask."""
    mean_face = _decode(engine, loaded.statistics.mean)
    methods: dict[str, Callable[[Tensor, int], Tensor]] = {
        "mean colour": lambda x, _: _mean_colour(x, mask),
        "mean face": lambda *_: mean_face,
        "mean face, in the light": lambda x, _: filled(x, mean_face, mask),
        "pseudo-Gibbs chain": lambda x, seed: _chain(loaded, engine, x, mask, seed),
        "`temperature` 0": lambda x, seed: _drawn(loaded, engine, x, mask, seed, 0.0),
        "draws": lambda x, seed: _drawn(loaded, engine, x, mask, seed, 1.0),
        "reconstruction": lambda x, _: _decode(engine, _mean(engine, x)),
    }
    rows = {name: Row() for name in methods}
    for number, picture in enumerate(pictures):
        x = to_tensor(picture)
        for name, method in methods.items():
            results = []
            for i in range(DRAWS if name in ("pseudo-Gibbs chain", "draws") else 1):
                started = time.perf_counter()
                results.append(method(x, DRAWS * number + i))
                rows[name].seconds.append(time.perf_counter() - started)
                error = ((results[-1] - x).square() * mask).sum() / (mask.sum() * x.shape[1])
                rows[name].errors.append(float(error))
            if len(results) > 1:
                spread = (torch.cat(results).std(0) * mask[0]).sum() / (mask.sum() * x.shape[1])
                rows[name].spreads.append(255 * float(spread))
    return rows


def _mean_colour(x: Tensor, mask: Tensor) -> Tensor:
    known = 1.0 - mask
    return ((x * known).sum((2, 3), keepdim=True) / known.sum()).expand_as(x)


def _drawn(
    loaded: Checkpoint, engine: Engine, x: Tensor, mask: Tensor, seed: int, temperature: float
) -> Tensor:
    """As the service does it, at detail 0."""
    assert loaded.pixel_regression is not None
    posterior = latent_posterior(x, mask, loaded.statistics, loaded.pixel_regression)
    noise = seeded_noise([seed], loaded.model.config.latent_dim)
    return filled(x, _decode(engine, posterior.sample(noise, temperature)[0]), mask)


def _chain(loaded: Checkpoint, engine: Engine, x: Tensor, mask: Tensor, seed: int) -> Tensor:
    """The unknown part is filled in by a decode, encoded, drawn and decoded again.

    Rezende, Mohamed and Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep
    Generative Models", 2014, appendix F; from the mean face on.
    """
    dim = loaded.model.config.latent_dim
    noise = seeded_noise([seed], (CHAIN + 1) * dim).reshape(-1, dim)
    decoded = _decode(engine, loaded.statistics.mean)
    for row in noise:
        [posterior] = engine.encode_many([to_pixels(decoded.where(mask > 0, x))])
        latent = posterior.mean[0] + (0.5 * posterior.logvar[0]).exp() * row
        decoded = _decode(engine, latent)
    return filled(x, decoded, mask)


def _mean(engine: Engine, x: Tensor) -> Tensor:
    return engine.encode_many([to_pixels(x)])[0].mean[0]


def _decode(engine: Engine, latent: Tensor) -> Tensor:
    return to_tensor(engine.decode_many([DecoderInput(latent)])[0])


def _page(rows: dict[str, dict[str, Row]], count: int) -> list[str]:
    methods = list(next(iter(rows.values())))
    errors = [
        [method, *(f"{_psnr(by[method]):.2f}{_spread(by[method])}" for by in rows.values())]
        for method in methods
    ]
    seconds = {
        method: statistics.median(s for by in rows.values() for s in by[method].seconds)
        for method in ("draws", "pseudo-Gibbs chain")
    }
    ratio = seconds["pseudo-Gibbs chain"] / seconds["draws"]
    return [
        "# Filled parts of faces",
        "",
        f"Mean PSNR in dB of the unknown pixels of {count} pictures that the model has not seen, "
        f"at `detail` 0. In brackets: the standard deviation over {DRAWS} draws, in grey levels. "
        "*Reconstruction* knows the whole picture.",
        "",
        table(["", *rows], errors),
        "",
        f"The chain of {CHAIN + 1} encoder calls takes {ratio:.1f} times as long as a draw.",
    ]


def _rounded(row: Row) -> dict[str, list[float]]:
    return {name: [round(value, 6) for value in values] for name, values in vars(row).items()}


def _psnr(row: Row) -> float:
    return float(np.mean([-10.0 * np.log10(max(error, 1e-10)) for error in row.errors]))


def _spread(row: Row) -> str:
    return f" ({statistics.mean(row.spreads):.1f})" if row.spreads else ""

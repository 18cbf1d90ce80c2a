"""From trained weights to a checkpoint with its figures, pictures and card."""

import json
import math
import platform
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import torch
import torchvision

from training.analysis.attribute_classifier import AttributeClassifier
from training.analysis.directions import fit_directions, indicators
from training.analysis.encoding import device_of, encoded_means, residual_scale
from training.analysis.prior import fit_mixture, latent_statistics
from training.data.sources import Dataset
from training.evaluate import edit_evaluation as judging
from training.evaluate import frechet
from training.evaluate import reconstruction as evaluation
from training.fit.loss import LossConfig
from training.fit.presets import Recipe
from training.report import card
from training.report import figures as report
from vae import __version__, checkpoint
from vae.checkpoint import Checkpoint
from vae.model import VAE

SIGMA_PICTURES = 1000  # enough for a scale that is one number


def describe(
    model: VAE, train: Dataset, loss: LossConfig, provenance: dict[str, Any]
) -> Checkpoint:
    """The checkpoint of a model: what its encoder makes of the train split, and its origin."""
    means = encoded_means(model, train)
    bernoulli = loss.reconstruction == "bce"
    return Checkpoint(
        model=model,
        statistics=latent_statistics(means),
        mixture=fit_mixture(means, indicators(train)),
        directions=fit_directions(means, train),
        sigma=None if bernoulli else residual_scale(model, train.head(SIGMA_PICTURES)),
        labels=list(train.labels),
        provenance=provenance,
    )


def provenance(
    recipe: Recipe,
    data: Dataset,
    licence: str,
    command: str,
    epochs: float,
    start: Checkpoint | None = None,
) -> dict[str, Any]:
    """Where a checkpoint comes from, for its metadata and its card.

    Args:
        recipe: what it was trained by.
        data: the train split.
        licence: of the data.
        command: that was given.
        epochs: that were trained, which may be fewer than the recipe has.
        start: what the training began with.
    """
    before = {} if start is None else {"begins with": _origin(start)}
    return {
        **before,
        "data": data.name,
        "data sha256": data.sha256,
        "train pictures": len(data),
        "licence of the data": licence,
        "command": command,
        "epochs": round(epochs, 3),
        "seed": recipe.seed,
        "code": f"lorgnette {__version__}{_commit()}",
        "libraries": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "numpy": numpy.__version__,
        },
    }


def _origin(start: Checkpoint) -> dict[str, Any]:
    """The hash of a checkpoint and how it was made, back to its first start."""
    known = ("begins with", "command", "epochs")
    facts = {name: start.provenance[name] for name in known if name in start.provenance}
    return {"sha256": start.sha256, **facts}


def licence_of(data: Path) -> str:
    """What ``licence.txt`` in a data folder says, in one line."""
    file = data / "licence.txt"
    return " ".join(file.read_text().split()) if file.is_file() else "not stated"


def publish(
    found: Checkpoint,
    train: Dataset,
    test: Dataset,
    epochs: Path,
    folder: Path,
    dtype: torch.dtype,
    probes: AttributeClassifier | None = None,
    private: bool = False,
) -> Checkpoint:
    """Evaluate, then write ``model.safetensors``, ``metrics.json``, ``report`` and ``README.md``.

    The figures are those of the weights as stored: they are rounded to ``dtype`` first. Of one
    Gaussian and a mixture, the prior whose samples are nearer to train pictures is kept.

    Args:
        found: the checkpoint as it was described.
        train: the train split.
        test: the test split.
        epochs: folder of the pictures that ``fit`` saved epoch by epoch.
        folder: where to write.
        dtype: of the stored weights.
        probes: to judge edits with.
        private: put pictures that show the data beside ``epochs``, not into the report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.safetensors"
    checkpoint.save(found, file, dtype)
    device = device_of(found.model)
    stored = checkpoint.load(file)
    stored.model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    metrics: dict[str, Any] = evaluation.evaluate(stored, test) if len(test) else {"pictures": 0}
    if len(test) > 1 and frechet.applies(stored.model.config):
        metrics["frechet"] = distances = frechet.distances(stored, train, test)
        if distances["gaussian"] <= distances.get("mixture", math.inf):
            stored = replace(stored, mixture=None)
    if len(test) and probes is not None:
        metrics["judged"] = judging.judge(stored, train, test, probes)
    stored.metrics.clear()
    stored.metrics.update(metrics)
    checkpoint.save(stored, file, dtype)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    shutil.rmtree(folder / "report", ignore_errors=True)
    beside = epochs.parent / "report" if private else None
    if len(test):
        report.write(stored, test, epochs, folder / "report", beside)
    card.write(stored, folder)
    return stored


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    here = Path(__file__).parent
    found = subprocess.run(  # nosec B603  # noqa: S603 -- fixed arguments
        [git, "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True
    )
    return f" at {found.stdout.strip()}" if found.returncode == 0 else ""

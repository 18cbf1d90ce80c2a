"""From trained weights to a checkpoint with its figures, images and card."""

import json
import math
import platform
import shutil
import subprocess
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy
import torch

from training import progress
from training.analysis.directions import fit_directions, indicators
from training.analysis.encoding import device_of, encoded_means, residual_scale
from training.analysis.prior import fit_mixture, latent_statistics
from training.data.dataset import Dataset
from training.evaluate import carried_edit, frechet, preserved_edits
from training.evaluate.at_detail import at_detail
from training.evaluate.counterfactuals import counterfactual_edits, has_counterfactuals
from training.evaluate.edit_evaluation import evaluate_edits
from training.evaluate.realism import realism
from training.evaluate.reconstruction import evaluate
from training.evaluate.with_image_statistics import with_image_statistics
from training.fit import loss_log
from training.fit.adversarial_recipe import AdversarialRecipe
from training.fit.loss import LossConfig
from training.fit.presets import Recipe
from training.report import card, figures, loss_curves
from training.report.metrics import with_current_names
from vae import __version__, checkpoint
from vae.atomic_file import atomic_write
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint
from vae.model import VAE

SIGMA_IMAGES = 1000  # enough for a scale that is one number


def describe(model: VAE, train: Dataset, loss: LossConfig) -> Checkpoint:
    """The checkpoint of a model, with latent statistics and directions of the train split."""
    with progress.task("Encoding the train split"):
        means = encoded_means(model, train)
    with progress.task("Fitting the prior"):
        mixture = fit_mixture(means, indicators(train))
    with progress.task("Fitting the directions"):
        directions = fit_directions(means, train)
    sigma = None
    if loss.reconstruction != "bce":
        with progress.task("Measuring the residuals"):
            sigma = residual_scale(model, train.evenly_spaced(SIGMA_IMAGES))
    return Checkpoint(
        model=model,
        statistics=latent_statistics(means),
        mixture=mixture,
        directions=directions,
        sigma=sigma,
        labels=list(train.labels),
    )


def provenance(
    recipe: Recipe | AdversarialRecipe,
    data: Dataset,
    licence: str,
    command: str,
    epochs: float,
    init_from: Checkpoint | None = None,
) -> dict[str, Any]:
    """Where a checkpoint comes from, for its metadata and its card.

    Args:
        recipe: what it was trained by.
        data: the train split.
        licence: of the data.
        command: that was given.
        epochs: that were trained, which may be fewer than the recipe has.
        init_from: the checkpoint with the initial weights.
    """
    origin = {} if init_from is None else {"initialised from": _origin(init_from)}
    return {
        **origin,
        "data": data.name,
        "data sha256": data.sha256,
        "train images": len(data),
        "licence of the data": licence,
        "command": command,
        "epochs": round(epochs, 3),
        "seed": recipe.seed,
        "code": f"lorgnette {__version__}{_commit()}",
        "libraries": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": version("torchvision"),
            "numpy": numpy.__version__,
        },
    }


def _origin(init_from: Checkpoint) -> dict[str, Any]:
    """The hash of a checkpoint and how it was made, back to the first one."""
    facts = with_current_names(init_from.provenance)
    names = ("initialised from", "command", "epochs")
    return {"sha256": init_from.sha256, **{name: facts[name] for name in names if name in facts}}


def licence_of(data: Path) -> str:
    r"""What ``licence.txt`` in a data folder says, in one line; a byte not of UTF-8 is ``\xHH``."""
    file = data / "licence.txt"
    if not file.is_file():
        return "not stated"
    return " ".join(file.read_bytes().decode("utf-8-sig", "backslashreplace").split())


def publish(
    described: Checkpoint,
    train: Dataset,
    test: Dataset,
    epochs: Path,
    folder: Path,
    dtype: torch.dtype,
    classifier: AttributeClassifier | None = None,
    private: bool = False,
) -> Checkpoint:
    """Evaluate, then write ``model.safetensors``, ``metrics.json``, ``README.md`` and ``report``.

    ``report`` has images, the curves of the losses if the run has them, and a page with all of it.

    The figures are those of the weights as stored: they are rounded to ``dtype`` first. Of one
    Gaussian and a mixture, the prior whose samples are closer to train images is kept.

    Args:
        described: the checkpoint, as ``describe`` gives it.
        train: the train split.
        test: the test split.
        epochs: folder of the samples that ``fit`` saved epoch by epoch, in the working folder.
        folder: where to write.
        dtype: of the stored weights.
        classifier: to evaluate edits with.
        private: put images that show the data beside ``epochs``, not into the report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.safetensors"
    described = replace(described, provenance=with_current_names(described.provenance))
    checkpoint.save(described, file, dtype)
    stored = checkpoint.load(file)
    device = device_of(described.model)
    stored.model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    stored = with_image_statistics(_measured(stored, train, test, classifier), train, test)
    checkpoint.save(stored, file, dtype)
    with atomic_write(folder / "metrics.json") as metrics:
        metrics.write((json.dumps(stored.metrics, indent=2) + "\n").encode())
    shutil.rmtree(folder / "report", ignore_errors=True)
    with progress.task("Writing the report"):
        if len(test):
            showing_data = epochs.parent / "report" if private else None
            shown = stored if stored.model.detail is None else at_detail(stored, 1.0)
            figures.write(shown, test, epochs, folder / "report", showing_data)
        loss_curves.write(loss_log.read(epochs.parent), folder / "report" / "losses.png")
        card.write(stored, folder)
    return stored


def _measured(
    stored: Checkpoint, train: Dataset, test: Dataset, classifier: AttributeClassifier | None
) -> Checkpoint:
    """The checkpoint with its figures, and the prior whose samples are closer to train images.

    Of a model with a detail branch they are those of its least-squares images, and
    ``at_detail_1`` has those of its sharp ones.
    """
    metrics = _figures(stored, train, test, classifier)
    if stored.model.detail is not None:
        sharp = _figures(at_detail(stored, 1.0), train, test, classifier)
        if stored.sigma is None:  # a cross-entropy of logits, which the branch does not change
            sharp = {k: v for k, v in sharp.items() if k not in ("distortion_nats", "elbo_nats")}
        metrics["at_detail_1"] = sharp
    distances = metrics.get("frechet", {})
    if distances and distances["gaussian"] <= distances.get("mixture", math.inf):
        stored = replace(stored, mixture=None)
    return replace(stored, metrics=metrics)


def _figures(
    measured: Checkpoint, train: Dataset, test: Dataset, classifier: AttributeClassifier | None
) -> dict[str, Any]:
    """Every figure that applies to the model and the data."""
    if not len(test):
        return {"images": 0}
    with progress.task("Evaluating reconstructions"):
        metrics = evaluate(measured, test)
    if has_counterfactuals(test):
        with progress.task("Evaluating edits with known results"):
            metrics["edits"] = counterfactual_edits(measured, test)
    enough = min(len(train), len(test)) >= frechet.MIN_IMAGES
    if enough and frechet.applies(measured.model.config):
        with progress.task("Evaluating Fréchet distances"):
            metrics["frechet"] = frechet.distances(measured, train, test)
        if measured.model.detail is not None:
            with progress.task("Evaluating kernel distances"):
                metrics["realism"] = realism(measured, test)
    if classifier is not None and "glasses" in measured.directions:
        with progress.task("Evaluating edits by a classifier"):
            metrics["edit_evaluation"] = evaluate_edits(measured, train, test, classifier)
        if preserved_edits.applies(measured, test, classifier):
            with progress.task("Evaluating edited photographs"):
                preserved = preserved_edits.preserved_edits(measured, test, classifier)
            metrics["preserved_edits"] = preserved
    if carried_edit.applies(measured, test):
        with progress.task("Evaluating frames of others"):
            metrics["carried_edits"] = carried_edit.carried_edits(measured, test, classifier)
    return metrics


def _commit() -> str:
    here, git = Path(__file__).parents[2], shutil.which("git")
    if git is None or not (here / ".git").exists():  # an installed copy is in no repository of ours
        return ""
    ran = subprocess.run(  # nosec B603  # noqa: S603 -- fixed arguments
        [git, "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True
    )
    return f" at {ran.stdout.strip()}" if ran.returncode == 0 else ""

"""The stages of a run that every kind of recipe has: reading, training, publishing."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from training import progress
from training.analysis.attribute_classifier import label_table
from training.cli.run_folder import EPOCHS, require_outside
from training.cli.terminal import console, print_metrics
from training.data import decoding
from training.data.dataset import DataError, Dataset
from training.data.sources import Source
from training.evaluate import frechet
from training.evaluate.edit_evaluation import require_labels
from training.fit.adversarial import AdversarialTrainer
from training.fit.adversarial_recipe import AdversarialRecipe
from training.fit.batches import rows_with
from training.fit.loop import Progress
from training.fit.loss_log import LossLog
from training.fit.presets import Recipe
from training.fit.trainer import Trainer
from training.report import publish
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig


@dataclass(frozen=True)
class RunOptions:
    """Everything about a run that is not its recipe.

    Attributes:
        out: folder of the checkpoint.
        folder: working folder: saves, decoded images, logs.
        device: where to run.
        command: for the card.
        licence: of the data, for the card.
        dtype: of the stored weights.
        max_minutes: of training in this call.
        save_minutes: between saves.
        classifier: to evaluate edits with.
        private: keep images that show the data in ``folder``.
        tensorboard: write the losses for TensorBoard too.
        init_from: the checkpoint with the initial weights.
        auxiliary_classifier: of the loss.
        restart: begin anew; what earlier runs wrote to ``folder`` is removed.
    """

    out: Path
    folder: Path
    device: torch.device
    command: str
    licence: str
    dtype: torch.dtype = torch.float16
    max_minutes: float = math.inf
    save_minutes: float = 3.0
    classifier: AttributeClassifier | None = None
    private: bool = False
    tensorboard: bool = False
    init_from: Checkpoint | None = None
    auxiliary_classifier: AttributeClassifier | None = None
    restart: bool = False


def require_folders_outside(data: Path, source: Source, options: RunOptions) -> None:
    """Check that what a run writes does not become images of its data.

    Raises:
        TrainingError: if it would.
    """
    if source in ("auto", "folder"):
        require_outside(data, options.out, "--out")
        require_outside(data, options.folder, "--run")


def read_splits(
    recipe: Recipe | AdversarialRecipe, config: VAEConfig, data: Path, options: RunOptions
) -> tuple[Dataset, Dataset]:
    """The train and the test split, for a model of this configuration.

    Raises:
        DataError: if the data cannot be used, or a label is missing that a classifier needs.
        TrainingError: if no train image has the label that the recipe balances.
    """
    console.print(f"Reading {data}")
    train, test = decoding.prepare(
        data,
        recipe.source,
        config.size,
        config.channels,
        options.folder,
        check=lambda train, test: _check_labels(train, test, recipe.balance, options),
    )
    _print_counts(train, test)
    return train, test


def _print_counts(train: Dataset, test: Dataset) -> None:
    """The size of each split, and what a small test split means for the figures."""
    console.print(f"{len(train)} images to train on, {len(test)} to test on")
    if not len(test):
        console.print(
            "No image is in the test split: the model gets no figures, and its report no images"
        )
    elif min(len(train), len(test)) < frechet.MIN_IMAGES:
        console.print(
            f"Fréchet distances need {frechet.MIN_IMAGES} images in each split: they are left out"
        )


def _check_labels(train: Dataset, test: Dataset, balance: str, options: RunOptions) -> None:
    if balance:
        rows_with(train, balance)
    if options.classifier is not None:
        require_edits(train, test)
    if options.auxiliary_classifier is not None:
        label_table(train, options.auxiliary_classifier.labels)


def require_edits(train: Dataset, test: Dataset) -> None:
    """Check, before a training, that edits can be evaluated after it.

    Raises:
        DataError: if a label is missing, or the train split does not have both of its values.
    """
    require_labels(test)
    for value in (0, 1):
        if not (train.labels["glasses"] == value).any():
            raise DataError(
                f"no train image has glasses {value}; evaluating edits needs both 0 and 1"
            )


def train_logged(
    trainer: Trainer | AdversarialTrainer, options: RunOptions, epoch_ended: Callable[[int], None]
) -> None:
    """Train to the end or until time is up, show the progress and log the losses.

    Args:
        trainer: of the run.
        options: of the run.
        epoch_ended: called with the number of each epoch at its end.
    """
    if trainer.step:
        console.print(f"Resuming from step {trainer.step} of {trainer.steps}")
    batch = trainer.recipe.batch_size
    with (
        LossLog(options.folder, trainer.step, options.tensorboard) as losses,
        progress.task("Training", trainer.steps, trainer.step, "steps", batch) as running,
    ):

        def report(step: Progress) -> None:
            running.update(step.step, step.terms)
            losses.add(step)
            if step.epoch_ended is not None:
                epoch_ended(step.epoch_ended)

        done = trainer.run(report, options.max_minutes, options.save_minutes)
    if not done:
        console.print(
            f"Time is up at step {trainer.step} of {trainer.steps}: the same command resumes from "
            "there. The checkpoint is written as it is so far."
        )


def publish_run(
    trainer: Trainer | AdversarialTrainer, described: Checkpoint, test: Dataset, options: RunOptions
) -> Checkpoint:
    """Write the checkpoint of a run with its provenance, figures, images and card; see ``publish``.

    Args:
        trainer: of the run.
        described: what it has trained.
        test: the test split.
        options: of the run.
    """
    provenance = publish.provenance(
        trainer.recipe,
        trainer.data,
        options.licence,
        options.command,
        trainer.step / trainer.steps_per_epoch,
        options.init_from,
    )
    published = publish.publish(
        replace(described, provenance=provenance),
        trainer.data,
        test,
        options.folder / EPOCHS,
        options.out,
        options.dtype,
        options.classifier,
        options.private,
    )
    print_metrics(published, options.out)
    return published

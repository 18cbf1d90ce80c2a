"""From an adversarial recipe, data and a checkpoint to the checkpoint with a detail branch."""

from dataclasses import replace
from pathlib import Path

from training.cli.run_folder import EPOCHS, clean_run, run_folder
from training.cli.run_stages import (
    RunOptions,
    publish_run,
    read_splits,
    require_folders_outside,
    train_logged,
)
from training.data.dataset import Dataset
from training.fit.adversarial import GRID, AdversarialTrainer
from training.fit.adversarial_recipe import AdversarialRecipe
from training.fit.errors import TrainingError
from training.report.previews import preview
from vae.checkpoint import Checkpoint


def run_adversarial(recipe: AdversarialRecipe, data: Path, options: RunOptions) -> Checkpoint:
    """Train, or resume training, and write the checkpoint with its figures, images and card.

    Raises:
        DataError: if the data cannot be used.
        TrainingError: if the run cannot go on, there is no checkpoint to add the branch to, another
            process uses the run's folder, or the disk is full.
        SystemExit: with 130 or 143, if it was stopped by Ctrl-C or SIGTERM; training was saved.
    """
    if options.init_from is None:
        raise TrainingError("this preset adds a detail branch to a checkpoint: give --init-from")
    _require_fit(recipe, options.init_from)
    require_folders_outside(data, recipe.source, options)
    with run_folder(options.folder, resumes=True, restart=options.restart):
        if options.restart:
            clean_run(options.folder)
        return _run(recipe, data, options, options.init_from)


def _require_fit(recipe: AdversarialRecipe, init_from: Checkpoint) -> None:
    """Check that the checkpoint can have the branch, and that the windows are in its images."""
    config = init_from.model.config
    try:
        replace(config, detail_channels=recipe.detail_channels)
    except ValueError as error:
        raise TrainingError(f"--init-from cannot have a detail branch: {error}") from None
    if recipe.window > config.size:
        raise TrainingError(
            f"window is {recipe.window}, but the images of --init-from have {config.size} pixels a "
            f"side: give --window {config.size // GRID * GRID} or less"
        )


def _run(
    recipe: AdversarialRecipe, data: Path, options: RunOptions, init_from: Checkpoint
) -> Checkpoint:
    train, test = read_splits(recipe, init_from.model.config, data, options)
    trainer = AdversarialTrainer(recipe, train, options.folder, options.device, init_from)
    shown, previews = test if len(test) else train, options.folder / EPOCHS
    train_logged(
        trainer, options, lambda n: _save_preview(trainer, shown, previews / f"detail-{n:04d}.png")
    )
    return publish_run(trainer, trainer.checkpoint(), test, options)


def _save_preview(trainer: AdversarialTrainer, shown: Dataset, file: Path) -> None:
    """A few images of a data set at several details."""
    file.parent.mkdir(parents=True, exist_ok=True)
    preview(trainer.checkpoint(), shown).save(file)

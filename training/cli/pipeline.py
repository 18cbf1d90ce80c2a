"""From a recipe and data to a checkpoint: train, describe, measure, write."""

from pathlib import Path

from training.analysis.encoding import encoded_means
from training.analysis.prior import latent_statistics
from training.cli.run_folder import EPOCHS, clean_run, run_folder
from training.cli.run_stages import (
    RunOptions,
    publish_run,
    read_splits,
    require_folders_outside,
    train_logged,
)
from training.fit.errors import TrainingError
from training.fit.presets import Recipe
from training.fit.trainer import Trainer, check_run
from training.report import figures, publish
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint

PRIOR_IMAGES = 512  # to which the prior of an epoch's samples is fitted
SAMPLES = 8  # of each epoch


def run_recipe(recipe: Recipe, data: Path, options: RunOptions) -> Checkpoint:
    """Train, or resume training, and write the checkpoint with its figures, images and card.

    Raises:
        DataError: if the data cannot be used.
        TrainingError: if the run cannot go on, another process uses its folder, or the disk is
            full.
        SystemExit: with 130 or 143, if it was stopped by Ctrl-C or SIGTERM; training was saved.
    """
    check_run(recipe, options.init_from, options.auxiliary_classifier)
    _require_two_classifiers(options.classifier, options.auxiliary_classifier)
    require_folders_outside(data, recipe.source, options)
    with run_folder(options.folder, resumes=True, restart=options.restart):
        if options.restart:
            clean_run(options.folder)
        return _run_recipe(recipe, data, options)


def _run_recipe(recipe: Recipe, data: Path, options: RunOptions) -> Checkpoint:
    train, test = read_splits(recipe, recipe.model, data, options)
    trainer = Trainer(
        recipe,
        train,
        options.folder,
        options.device,
        options.init_from,
        options.auxiliary_classifier,
    )
    samples = options.folder / EPOCHS
    train_logged(trainer, options, lambda n: _save_samples(trainer, samples / f"epoch-{n:04d}.png"))
    described = publish.describe(trainer.averaged_model(), train, recipe.loss)
    return publish_run(trainer, described, test, options)


def _require_two_classifiers(
    classifier: AttributeClassifier | None, auxiliary_classifier: AttributeClassifier | None
) -> None:
    if classifier is None or auxiliary_classifier is None:
        return
    if auxiliary_classifier.sha256 == classifier.sha256:
        raise TrainingError(
            "the classifier that evaluates must not take part in the training: train an auxiliary "
            "classifier with another --seed"
        )


def _save_samples(trainer: Trainer, file: Path) -> None:
    """A row of samples from a prior fitted to a few hundred images, always of the same noise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    model = trainer.averaged_model()
    means = encoded_means(model, trainer.data.evenly_spaced(PRIOR_IMAGES))
    now = Checkpoint(model, latent_statistics(means))
    figures.grid([figures.samples(now, range(SAMPLES))]).save(file)

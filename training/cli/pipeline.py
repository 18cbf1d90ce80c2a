"""A recipe from data to checkpoint: train with a progress bar, describe, measure, write."""

import math
import shutil
from pathlib import Path

import torch

from training.analysis.attribute_classifier import AttributeClassifier
from training.analysis.encoding import encoded_means
from training.analysis.prior import latent_statistics
from training.cli.terminal import bar, console, print_metrics
from training.data.sources import Dataset, prepare
from training.evaluate import edit_evaluation as judging
from training.fit.presets import Recipe
from training.fit.trainer import Progress, Trainer, TrainingError
from training.report import figures as report
from training.report import publish
from vae.checkpoint import Checkpoint

WORKING = ("state.safetensors", "samples", "tensorboard", "report", "pictures.npy", "pictures.json")


def clean_run(folder: Path) -> None:
    """Remove what ``run_recipe`` has put into a working folder, and nothing else."""
    for path in (folder / name for name in WORKING):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def run_recipe(
    recipe: Recipe,
    data: Path,
    out: Path,
    folder: Path,
    device: torch.device,
    *,
    command: str,
    licence: str,
    dtype: torch.dtype = torch.float16,
    max_minutes: float = math.inf,
    save_minutes: float = 3.0,
    probes: AttributeClassifier | None = None,
    private: bool = False,
    start: Checkpoint | None = None,
    guide: AttributeClassifier | None = None,
) -> Checkpoint:
    """Train, or go on training, and write the checkpoint with its figures, pictures and card.

    Args:
        recipe: what to train and how.
        data: where the pictures are.
        out: folder of the checkpoint.
        folder: working folder: saves, decoded pictures, logs.
        device: where to run.
        command: for the card.
        licence: of the data, for the card.
        dtype: of the stored weights.
        max_minutes: of training in this call.
        save_minutes: between saves.
        probes: to judge edits with.
        private: keep pictures that show the data in ``folder``.
        start: whose weights to begin with.
        guide: the classifier that the recipe's loss asks, if it asks one.
    """
    console.print(f"Reading {data}")
    config = recipe.model
    train, test = prepare(data, recipe.source, config.size, config.channels, folder)
    console.print(f"{len(train)} pictures to train on, {len(test)} to test on")
    if probes is not None:
        judging.require_labels(test)
        if guide is not None and guide.sha256 == probes.sha256:
            raise TrainingError(
                "the probes that judge must not guide: train a guide with another --seed"
            )
    trainer = Trainer(recipe, train, folder, device, start, guide)
    if trainer.step:
        console.print(f"Going on from step {trainer.step} of {trainer.steps}")
    epochs = folder / "samples"
    with bar("distortion {task.fields[d]:.1f}", "rate {task.fields[r]:.1f} nats") as shown:
        task = shown.add_task("fit", total=trainer.steps, completed=trainer.step, speed=0, d=0, r=0)

        def after(step: Progress) -> None:
            speed = (shown.tasks[task].speed or 0.0) * recipe.batch_size
            shown.update(task, completed=step.step, speed=speed, d=step.distortion, r=step.rate)
            if step.epoch_ended is not None:
                _save_samples(trainer, train, epochs / f"epoch-{step.epoch_ended:04d}.png")

        done = trainer.run(after, max_minutes, save_minutes)
    if not done:
        console.print(
            f"Time is up at step {trainer.step} of {trainer.steps}: the same command goes on from "
            "there. What there is so far is written now."
        )
    trained = trainer.step / trainer.steps_per_epoch
    facts = publish.provenance(recipe, train, licence, command, trained, start)
    described = publish.describe(trainer.averaged_model(), train, recipe.loss, facts)
    found = publish.publish(described, train, test, epochs, out, dtype, probes, private)
    print_metrics(found, out)
    return found


def _save_samples(trainer: Trainer, train: Dataset, file: Path) -> None:
    """A row of samples from a prior fitted to a few hundred pictures, always of the same noise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    model = trainer.averaged_model()
    statistics = latent_statistics(encoded_means(model, train.head(512)))
    now = Checkpoint(model, statistics)
    report.grid([report.samples(now, range(8))]).save(file)

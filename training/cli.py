"""The command line: ``fit``, ``evaluate`` and ``avatars``."""

import logging
import math
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training import analysis, publish, report
from training import avatars as drawing
from training.data import DataError, Dataset, Source, prepare
from training.loop import Progress as Step
from training.loop import Trainer, TrainingError
from training.loss import Reconstruction
from training.presets import PRESETS, Preset, Recipe
from vae import checkpoint
from vae.checkpoint import Checkpoint, CheckpointError

app = typer.Typer(
    help="Train variational autoencoders on pictures, and measure them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
console = Console(stderr=True, markup=False)

DTYPES = {"fp16": torch.float16, "fp32": torch.float32}
Device = Literal["auto", "cpu", "cuda"]

DeviceOption = Annotated[
    Device, typer.Option(help="Where to run; auto takes CUDA when there is a device.")
]


@app.command()
def fit(
    data: Annotated[
        Path,
        typer.Option(
            help="A folder of class folders; a folder or .zip with manifest.csv; or the root "
            "folder of torchvision's CelebA, MNIST or FashionMNIST."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint and its report.")],
    preset: Annotated[Preset, typer.Option(help="The recipe to start from.")] = "avatars",
    run: Annotated[
        Path | None,
        typer.Option(
            help="Working folder: saves, decoded pictures, logs. Default runs/NAME of --out."
        ),
    ] = None,
    source: Annotated[
        Source | None,
        typer.Option(help="Kind of data; auto looks for manifest.csv, else class folders."),
    ] = None,
    epochs: Annotated[float | None, typer.Option(min=0, help="Passes over the data.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Pictures a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0, help="Peak rate of AdamW.")] = None,
    size: Annotated[
        int | None, typer.Option(help="Pixels a side (residual: a multiple of 32, 32 to 256).")
    ] = None,
    latent_dim: Annotated[int | None, typer.Option(min=1, help="Length of a latent.")] = None,
    loss: Annotated[
        Reconstruction | None, typer.Option(help="Reconstruction term; gaussian learns its scale.")
    ] = None,
    weight: Annotated[
        float | None, typer.Option(help="Of the reconstruction term: higher is sharper.")
    ] = None,
    beta: Annotated[
        float | None, typer.Option(help="Of the KL term: higher makes cleaner samples.")
    ] = None,
    kl_warmup: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of the training before beta is whole.")
    ] = None,
    free_bits: Annotated[
        float | None, typer.Option(min=0, help="Nats a latent dimension carries at no cost.")
    ] = None,
    balance: Annotated[
        str | None, typer.Option(help="A 0/1 label that half of every batch is given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random.")] = None,
    licence: Annotated[
        str, typer.Option(help="Of the data, for the card. Default: licence.txt of a data folder.")
    ] = "",
    max_minutes: Annotated[
        float,
        typer.Option(min=0, help="Stop after this time; the same command goes on from there."),
    ] = math.inf,
    save_minutes: Annotated[float, typer.Option(min=0, help="Time between saves.")] = 3.0,
    restart: Annotated[bool, typer.Option("--restart", help="Forget the saves in --run.")] = False,
    weights: Annotated[
        Literal["fp16", "fp32"], typer.Option(help="How the checkpoint stores them.")
    ] = "fp16",
    device: DeviceOption = "auto",
) -> None:
    """Train a model and write its checkpoint, figures, pictures and card.

    A run that is stopped, by `--max-minutes`, Ctrl-C or a crash, goes on from its last save when
    the same command is given again, to the same result. TensorBoard reads `RUN/tensorboard`.

    **Example:** `python -m training fit --preset avatars --data data/avatars --out models/mine`
    """
    with _plain_errors():
        changes = {
            "source": source,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "balance": balance,
            "seed": seed,
        }
        model_changes = {"size": size, "latent_dim": latent_dim}
        loss_changes = {
            "reconstruction": loss,
            "weight": weight,
            "beta": beta,
            "kl_warmup": kl_warmup,
            "free_bits": free_bits,
        }
        recipe = PRESETS[preset]
        recipe = replace(
            recipe,
            **_given(changes),
            model=replace(recipe.model, **_given(model_changes)),
            loss=replace(recipe.loss, **_given(loss_changes)),
        )
        folder = run or Path("runs") / out.resolve().name
        if restart:
            shutil.rmtree(folder, ignore_errors=True)
        stated = licence or publish.licence_of(data)
        _fit(recipe, data, stated, out, folder, max_minutes, save_minutes, DTYPES[weights], device)


def _fit(
    recipe: Recipe,
    data: Path,
    licence: str,
    out: Path,
    folder: Path,
    max_minutes: float,
    save_minutes: float,
    dtype: torch.dtype,
    device: Device,
) -> None:
    console.print(f"Reading {data}")
    config = recipe.model
    train, test = prepare(data, recipe.source, config.size, config.channels, folder)
    console.print(f"{len(train)} pictures to train on, {len(test)} to test on")
    trainer = Trainer(recipe, train, folder, _device(device))
    if trainer.step:
        console.print(f"Going on from step {trainer.step} of {trainer.steps}")
    command = f"python -m training {shlex.join(sys.argv[1:])}"
    facts = publish.provenance(recipe, train, licence, command)
    epochs = folder / "samples"
    with _bar("distortion {task.fields[d]:.1f}", "rate {task.fields[r]:.1f} nats") as bar:
        task = bar.add_task("fit", total=trainer.steps, completed=trainer.step, speed=0, d=0, r=0)

        def after(step: Step) -> None:
            speed = (bar.tasks[task].speed or 0.0) * recipe.batch_size
            bar.update(task, completed=step.step, speed=speed, d=step.distortion, r=step.rate)
            if step.epoch_ended is not None:
                _save_samples(trainer, train, facts, epochs / f"epoch-{step.epoch_ended:04d}.png")

        done = trainer.run(after, max_minutes, save_minutes)
    if not done:
        console.print(
            f"Time is up at step {trainer.step} of {trainer.steps}: the same command goes on from "
            "there. What there is so far is written now."
        )
    described = publish.describe(trainer.averaged_model(), train, recipe.loss, facts)
    found = publish.publish(described, test, epochs, out, dtype)
    _print_metrics(found, out)


def _save_samples(trainer: Trainer, train: Dataset, facts: dict[str, Any], file: Path) -> None:
    """A row of samples from a prior fitted to a few hundred pictures, always of the same noise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    model = trainer.averaged_model()
    statistics = analysis.statistics(analysis.encoded_means(model, train.head(512)))
    now = Checkpoint(model, statistics, provenance=facts)
    report.grid([report.samples(now, range(8))]).save(file)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="Folder of the checkpoint.")],
    data: Annotated[Path, typer.Option(help="The data, as for fit.")],
    source: Annotated[Source, typer.Option(help="Kind of data.")] = "auto",
    run: Annotated[
        Path | None, typer.Option(help="Working folder. Default runs/NAME of --model.")
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Measure a checkpoint on the test split and write its figures, pictures and card anew.

    **Example:** `python -m training evaluate --model models/avatars --data data/avatars`
    """
    with _plain_errors():
        found = checkpoint.load(model / "model.safetensors")
        config = found.model.config
        folder = run or Path("runs") / model.resolve().name
        _, test = prepare(data, source, config.size, config.channels, folder)
        found.model.to(_device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        dtype = checkpoint.stored_dtype(model / "model.safetensors")
        found = publish.publish(found, test, folder / "samples", model, dtype)
        _print_metrics(found, model)


@app.command()
def avatars(
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Portraits of the train split.")] = 8000,
    test: Annotated[
        int, typer.Option(min=0, help="Identities of the test split, three portraits each.")
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same portraits.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default one a core.")
    ] = None,
) -> None:
    """Draw labelled cartoon portraits at 256 x 256 with a manifest.csv.

    Every identity of the test split is drawn bare, in one pair of glasses, and in another: the true
    answers of edits.

    **Example:** `python -m training avatars --out data/avatars -n 8000`
    """
    with _plain_errors(), _bar() as bar:
        task = bar.add_task("draw", total=n + 3 * test, speed=0)
        for done in drawing.render(out, n, test, seed, workers):
            bar.update(task, completed=done, speed=bar.tasks[task].speed or 0.0)
    console.print(f"{n} portraits and {test} counterfactual triples in {out}")


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}


def _device(name: Device) -> torch.device:
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise TrainingError("--device is cuda, but PyTorch sees no CUDA device")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def _bar(*fields: str) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:.1f} pictures/s"),
        TimeRemainingColumn(),
        *map(TextColumn, fields),
        console=console,
    )


def _print_metrics(found: Checkpoint, folder: Path) -> None:
    for name, value in found.metrics.items():
        if not isinstance(value, dict):
            console.print(
                f"  {name}: {value:.4g}" if isinstance(value, float) else f"  {name}: {value}"
            )
    console.print(f"Wrote {folder}: model.safetensors, metrics.json, README.md, report")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Say what went wrong in a line, not a traceback, where it is not our fault."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=console, show_time=False, show_path=False)],
    )
    try:
        yield
    except (DataError, TrainingError, CheckpointError, ValueError, OSError) as error:
        console.print(f"error: {error}", style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on from the last save")
        raise typer.Exit(130) from None

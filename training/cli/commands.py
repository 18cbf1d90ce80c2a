"""The command line: ``fit`` and ``avatars`` here, what measures in ``training.cli.measure_commands``."""

import math
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer

from training.cli import measure_commands as measuring
from training.cli.pipeline import clean_run, run_recipe
from training.cli.terminal import (
    DataOption,
    DeviceOption,
    bar,
    console,
    pick_device,
    plain_errors,
)
from training.data import avatars as drawing
from training.data.sources import Source
from training.fit.loss import Reconstruction
from training.fit.presets import PRESETS, Preset
from training.report import publish
from vae import checkpoint
from vae.model import VAEConfig

app = typer.Typer(
    help="Train variational autoencoders on pictures, and measure them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (measuring.evaluate, measuring.card, measuring.probes, measuring.baseline):
    app.command()(command)

DTYPES = {"fp16": torch.float16, "fp32": torch.float32}


@app.command()
def fit(
    data: DataOption,
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint and its report.")],
    preset: Annotated[Preset, typer.Option(help="The recipe to start from.")] = "avatars",
    run: Annotated[
        Path | None,
        typer.Option(
            help="Working folder: saves, decoded pictures, logs. Default runs/NAME of --out."
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a checkpoint whose weights to begin with; of more latent dimensions "
            "than --latent-dim it gives its principal axes."
        ),
    ] = None,
    guide: Annotated[
        Path | None,
        typer.Option(help="A classifier that the recipe's loss asks, as `probes` writes them."),
    ] = None,
    source: Annotated[
        Source | None,
        typer.Option(
            help="Kind of data; auto looks for manifest.csv and for CelebA, else class folders."
        ),
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
    probes: measuring.ProbesOption = None,
    private: measuring.PrivateOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Train a model and write its checkpoint, figures, pictures and card.

    A run that is stopped, by `--max-minutes`, Ctrl-C or a crash, goes on from its last save when
    the same command is given again, to the same result. TensorBoard reads `RUN/tensorboard`.

    **Example:** `python -m training fit --preset avatars --data data/avatars --out models/mine`
    """
    with plain_errors():
        changes = {
            "source": source,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "balance": balance,
            "seed": seed,
        }
        model_changes = {"size": size, "patch": None, "latent_dim": latent_dim}
        if size is not None:
            model_changes["patch"] = _patch(PRESETS[preset].model, size)
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
            clean_run(folder)
        run_recipe(
            recipe,
            data,
            out,
            folder,
            pick_device(device),
            command=f"python -m training {shlex.join(sys.argv[1:])}",
            licence=licence or publish.licence_of(data),
            dtype=DTYPES[weights],
            max_minutes=max_minutes,
            save_minutes=save_minutes,
            probes=measuring.read_probes(probes),
            private=private,
            start=None if start is None else checkpoint.load(start / "model.safetensors"),
            guide=measuring.read_probes(guide),
        )


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
    with plain_errors(), bar() as shown:
        task = shown.add_task("draw", total=n + 3 * test, speed=0)
        for done in drawing.render(out, n, test, seed, workers):
            shown.update(task, completed=done, speed=shown.tasks[task].speed or 0.0)
    console.print(f"{n} portraits and {test} counterfactual triples in {out}")


def _patch(model: VAEConfig, size: int) -> int:
    """The preset's patch, halved until pictures of this size come out even."""
    patch, levels = model.patch, len(model.widths) - 1
    while patch > 1 and size % (patch << levels):
        patch //= 2
    return patch


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}

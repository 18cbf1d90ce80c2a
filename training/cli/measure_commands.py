"""The commands that measure and tell: ``evaluate``, ``card``, ``probes`` and ``baseline``."""

from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer

from training.analysis import attribute_classifier as probing
from training.cli.pipeline import run_recipe
from training.cli.terminal import (
    DataOption,
    DeviceOption,
    console,
    pick_device,
    plain_errors,
    print_metrics,
)
from training.data.sources import Source, prepare
from training.evaluate import baselines
from training.fit.classifier_training import Schedule, train_classifier
from training.fit.presets import PRESETS
from training.report import card as cards
from training.report import publish
from vae import checkpoint

JUDGED = ("glasses", "male")

ProbesOption = Annotated[
    Path | None, typer.Option(help="Probes to judge edits with, as `probes` writes them.")
]
PrivateOption = Annotated[
    bool,
    typer.Option(
        "--private", help="Put pictures that show the data into the working folder's report."
    ),
]
SourceOption = Annotated[Source, typer.Option(help="Kind of data.")]


def evaluate(
    model: Annotated[Path, typer.Option(help="Folder of the checkpoint.")],
    data: DataOption,
    source: SourceOption = "auto",
    run: Annotated[
        Path | None, typer.Option(help="Working folder. Default runs/NAME of --model.")
    ] = None,
    probes: ProbesOption = None,
    private: PrivateOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Measure a checkpoint on the test split and write its figures, pictures and card anew.

    **Example:** `python -m training evaluate --model models/avatars --data data/avatars`
    """
    with plain_errors():
        found = checkpoint.load(model / "model.safetensors")
        config = found.model.config
        folder = run or Path("runs") / model.resolve().name
        train, test = prepare(data, source, config.size, config.channels, folder)
        found.model.to(pick_device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        dtype = checkpoint.stored_dtype(model / "model.safetensors")
        judges = read_probes(probes)
        found = publish.publish(
            found, train, test, folder / "samples", model, dtype, judges, private
        )
        print_metrics(found, model)


def card(
    model: Annotated[Path, typer.Option(help="Folder of the checkpoint.")],
    beside: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of another checkpoint to compare with; may be repeated."),
    ] = None,
) -> None:
    """Write the model card anew, from what the checkpoint and its folder hold.

    The figures of a checkpoint `--beside` it stay in `baselines.json`, under its folder's name.

    **Example:** `python -m training card --model models/faces --beside models/faces-100`
    """
    with plain_errors():
        others = {
            folder.resolve().name: checkpoint.load(folder / "model.safetensors").metrics
            for folder in beside or ()
        }
        cards.write(checkpoint.load(model / "model.safetensors"), model, others)
        console.print(f"Wrote {model / 'README.md'}")


def probes(
    data: DataOption,
    out: Annotated[Path, typer.Option(help="File to write.")],
    source: SourceOption = "auto",
    run: Annotated[Path, typer.Option(help="Working folder.")] = Path("runs/probes"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data.")] = 3,
    label: Annotated[list[str] | None, typer.Option(help="A 0/1 label; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="A guide's is not its judge's.")] = 0,
    device: DeviceOption = "auto",
) -> None:
    """Train classifiers, of `glasses` and `male` if no other labels are given, on the train split.

    They judge edits (`--probes`), or guide a training (`fit --guide`); never the same ones both.

    **Example:** `python -m training probes --data faces.zip --out runs/probes.safetensors`
    """
    with plain_errors():
        train, test = prepare(data, source, probing.SIZE, 3, run)
        schedule = Schedule(epochs=epochs, seed=seed)
        found = train_classifier(train, label or JUDGED, schedule, pick_device(device))
        accuracy = probing.accuracy(found, test)
        probing.save(found, accuracy, out)
        for name, share in accuracy.items():
            console.print(f"  {name}: {share:.1%} of {len(test)} test pictures")
        console.print(f"Wrote {out}")


def baseline(
    kind: Annotated[
        Literal["pca", "book"],
        typer.Argument(help="Principal components, or the tutorial's recipe as published."),
    ],
    data: DataOption,
    out: Annotated[Path, typer.Option(help="JSON file to add the figures to.")],
    source: SourceOption = "auto",
    run: Annotated[Path | None, typer.Option(help="Working folder. Default runs/KIND.")] = None,
    size: Annotated[int, typer.Option(help="Pixels a side, for pca.")] = 256,
    probes: ProbesOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Measure what a user would otherwise have, on the same rows.

    `card` puts the figures of `baselines.json` beside a checkpoint into its card.

    **Example:** `python -m training baseline pca --data faces.zip --out baselines.json`
    """
    with plain_errors():
        folder = run or Path("runs") / kind
        figures: dict[str, Any]
        if kind == "pca":
            train, test = prepare(data, source, size, 3, folder)
            figures = baselines.pca(train, test)
        else:
            found = run_recipe(
                PRESETS["book"],
                data,
                folder / "model",
                folder,
                pick_device(device),
                command="python -m training baseline book",
                licence=publish.licence_of(data),
                probes=read_probes(probes),
            )
            figures = found.metrics
        cards.add_baselines(out, {kind: figures})
        console.print(f"Wrote {out}")


def read_probes(file: Path | None) -> probing.AttributeClassifier | None:
    """The probes of ``--probes``, if there are any."""
    return None if file is None else probing.load(file)

"""The command line: ``fit`` and ``avatars``, and the parser of all commands."""

import math
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from training.cli.adversarial_command import FitAdversarial
from training.cli.measure_commands import (
    Baseline,
    Card,
    Evaluate,
    TrainClassifier,
    read_classifier,
)
from training.cli.pipeline import RunOptions, clean_run, run_recipe
from training.cli.terminal import Device, OptionalPath, bar, console, pick_device, plain_errors
from training.data import avatars
from training.fit.adversarial_recipe import AdversarialPreset
from training.fit.presets import PRESETS, Preset, Recipe
from training.report import publish
from vae import checkpoint
from vae.model import VAEConfig

PROGRAM = "python -m training"
DTYPES = {"fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True)
class Fit:
    """Train a model and write its checkpoint, figures, images and card.

    A run that is stopped, by --max-minutes, Ctrl-C or a crash, resumes from its last save when the
    same command is given again, with the same result. TensorBoard reads RUN/tensorboard.

    Example: python -m training fit --preset avatars --data data/avatars --out models/mine

    Attributes:
        data: a folder of class folders; a folder or .zip with manifest.csv; or the root folder of
            torchvision's CelebA, MNIST or FashionMNIST.
        out: folder for the checkpoint and its report.
        preset: recipe that gives the defaults below.
        run: working folder for saves, decoded images and logs; by default runs/NAME, where NAME is
            the last part of --out.
        init_from: folder of a checkpoint with the initial weights; if it has more latent
            dimensions than --latent-dim, its first principal axes.
        auxiliary_classifier: file of a classifier for the loss, as ``classifier`` writes it.
        classifier: file of a classifier to evaluate edits with, as ``classifier`` writes it.
        licence: of the data, for the card; by default what licence.txt in the data folder says.
        max_minutes: stop after this time.
        save_minutes: time between saves.
        restart: begin anew; the saves in --run are removed.
        weights: how the checkpoint stores them.
        private: put images that show the data into the working folder's report.
        device: where to run; auto takes CUDA where there is a device.
        recipe: the recipe.
    """

    data: Path
    out: Path
    preset: Preset = "avatars"
    run: OptionalPath = None
    init_from: OptionalPath = None
    auxiliary_classifier: OptionalPath = None
    classifier: OptionalPath = None
    licence: str = ""
    max_minutes: float = math.inf
    save_minutes: float = 3.0
    restart: bool = False
    weights: Literal["fp16", "fp32"] = "fp16"
    private: bool = False
    device: Device = "auto"
    recipe: Recipe = PRESETS["avatars"]

    def __call__(self) -> None:
        """Run the command."""
        folder = self.run or Path("runs") / self.out.resolve().name
        if self.restart:
            clean_run(folder)
        options = RunOptions(
            out=self.out,
            folder=folder,
            device=pick_device(self.device),
            command=f"{PROGRAM} {shlex.join(sys.argv[1:])}",
            licence=self.licence or publish.licence_of(self.data),
            dtype=DTYPES[self.weights],
            max_minutes=self.max_minutes,
            save_minutes=self.save_minutes,
            classifier=read_classifier(self.classifier),
            private=self.private,
            init_from=(
                None
                if self.init_from is None
                else checkpoint.load(self.init_from / "model.safetensors")
            ),
            auxiliary_classifier=read_classifier(self.auxiliary_classifier),
        )
        run_recipe(self.recipe, self.data, options)


@dataclass(frozen=True)
class Avatars:
    """Draw labelled cartoon portraits of 256 x 256 pixels with a manifest.csv.

    Every identity of the test split is drawn without glasses, in one pair, and in another: the
    correct results of edits.

    Example: python -m training avatars --out data/avatars -n 8000

    Attributes:
        out: folder to make.
        n: portraits of the train split.
        test: identities of the test split, three portraits each.
        seed: the same seed draws the same portraits.
        workers: processes; by default one a core.

    Raises:
        ValueError: if a number is negative, or there is nothing to train on.
    """

    out: Path
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 8000
    test: int = 200
    seed: int = 0
    workers: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None

    def __post_init__(self) -> None:
        if self.n < 1 or self.test < 0 or self.seed < 0 or (self.workers or 1) < 1:
            raise ValueError("n and workers must be 1 or more, test and seed 0 or more")

    def __call__(self) -> None:
        """Run the command."""
        with bar() as shown:
            task = shown.add_task("draw", total=self.n + 3 * self.test, speed=0)
            for done in avatars.render(self.out, self.n, self.test, self.seed, self.workers):
                shown.update(task, completed=done, speed=shown.tasks[task].speed or 0.0)
        console.print(f"{self.n} portraits and {self.test} counterfactual triples in {self.out}")


@dataclass(frozen=True)
class _Preliminary:
    """The options that decide the defaults of the others."""

    preset: Preset | AdversarialPreset = "avatars"
    size: int | None = None


COMMANDS: dict[str, Callable[..., Callable[[], None]]] = {
    "fit": Fit,
    "evaluate": Evaluate,
    "card": Card,
    "classifier": TrainClassifier,
    "baseline": Baseline,
    "avatars": Avatars,
}
OPTIONS = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name.

    Raises:
        SystemExit: with 1 if the input is at fault, 2 if the command line is, 130 on Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    with plain_errors():
        parse(arguments)()


def parse(arguments: Sequence[str]) -> Callable[[], None]:
    """The command, with its options.

    Raises:
        SystemExit: with 2, after a message, if the arguments are not understood.
        ValueError: if ``--size`` does not go with the preset.
    """
    name, *options = arguments
    program = f"{PROGRAM} {name}"
    if name == "fit":
        given = _preliminary(options)
        if given.preset == "faces-sharp":
            return tyro.cli(FitAdversarial, prog=program, args=options, config=OPTIONS)
        recipe = _default_recipe(given.preset, given.size)
        default = Fit(tyro.MISSING, tyro.MISSING, recipe=recipe)
        return tyro.cli(Fit, prog=program, args=options, default=default, config=OPTIONS)
    if name in COMMANDS:
        return tyro.cli(COMMANDS[name], prog=program, args=options, config=OPTIONS)
    command: Callable[[], None] = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog=PROGRAM,
        description="Train variational autoencoders on images, and measure them.",
        args=arguments,
    )
    return command


def _preliminary(arguments: Sequence[str]) -> _Preliminary:
    given, _ = tyro.cli(
        _Preliminary,
        prog=f"{PROGRAM} fit",
        args=arguments,
        return_unknown_args=True,
        add_help=False,
    )
    return given


def _default_recipe(preset: Preset, size: int | None) -> Recipe:
    """The recipe of ``--preset``, with its patch fitted to ``--size`` if that is given."""
    recipe = PRESETS[preset]
    if size is None:
        return recipe
    patch = _patch(recipe.model, size)
    return replace(recipe, model=replace(recipe.model, size=size, patch=patch))


def _patch(model: VAEConfig, size: int) -> int:
    """The model's patch, halved until it divides images of this size."""
    patch, levels = model.patch, len(model.widths) - 1
    while patch > 1 and size % (patch << levels):
        patch //= 2
    return patch

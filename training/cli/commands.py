"""The command line: ``fit`` and ``avatars``, and the parser of all commands."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, cast

import tyro
from tyro import MISSING

from training import progress
from training.cli.adversarial_command import FitAdversarial
from training.cli.align_command import AlignTemplate
from training.cli.average_command import AverageDetail
from training.cli.baseline_command import Baseline
from training.cli.directions_command import Directions
from training.cli.display import progress_display
from training.cli.measure_commands import Card, Evaluate, TrainClassifier
from training.cli.pipeline import run_recipe
from training.cli.run_command import RunCommand
from training.cli.run_folder import require_writable
from training.cli.statistics_command import MeasureImages
from training.cli.terminal import PROGRAM, OptionalPath, console, plain_errors
from training.data import avatars
from training.fit.adversarial_recipe import (
    ADVERSARIAL_PRESETS,
    AdversarialPreset,
)
from training.fit.presets import PRESETS, Preset, Recipe
from vae.config import VAEConfig


@dataclass(frozen=True, kw_only=True)
class Fit(RunCommand):
    """Train a model and write its checkpoint, figures, images and card.

    A run that is stopped, by --max-minutes, Ctrl-C or a crash, resumes from its last save when the
    same command is given again, with the same result. RUN/losses.jsonl has the losses.

    Example: python -m training fit --preset avatars --data data/avatars --out models/mine

    Attributes:
        preset: recipe that gives the defaults below; ``faces-sharp`` has other
            options, which ``fit --preset faces-sharp --help`` explains.
        init_from: folder of a checkpoint with the initial weights; if it has more latent
            dimensions than --latent-dim, its first principal axes.
        auxiliary_classifier: file of a classifier for the loss, as ``classifier`` writes it.
        recipe: the recipe.
    """

    preset: Preset = "avatars"
    init_from: OptionalPath = None
    auxiliary_classifier: OptionalPath = None
    recipe: Recipe = PRESETS["avatars"]

    def __call__(self) -> None:
        """Run the command."""
        options = self.run_options(self.init_from, self.auxiliary_classifier)
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
        require_writable(self.out, "--out")
        with progress.task("Drawing portraits", self.n + 3 * self.test) as drawing:
            for done in avatars.render(self.out, self.n, self.test, self.seed, self.workers):
                drawing.update(done)
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
    "align-template": AlignTemplate,
    "directions": Directions,
    "image-statistics": MeasureImages,
    "average-detail": AverageDetail,
    "avatars": Avatars,
}
OPTIONS = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name.

    Raises:
        SystemExit: with 1 if the input is at fault, 2 if the command line is, 130 on Ctrl-C, 143
            on SIGTERM.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    with plain_errors():
        command = parse(arguments)
        with progress_display():
            command()


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
        if recipe := ADVERSARIAL_PRESETS.get(given.preset):
            default = FitAdversarial(data=MISSING, out=MISSING, init_from=MISSING, recipe=recipe)
            return tyro.cli(
                FitAdversarial, prog=program, args=options, default=default, config=OPTIONS
            )
        fit = Fit(
            data=MISSING,
            out=MISSING,
            recipe=_default_recipe(cast(Preset, given.preset), given.size),
        )
        return tyro.cli(Fit, prog=program, args=options, default=fit, config=OPTIONS)
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

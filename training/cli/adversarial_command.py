"""``fit`` with a preset of the adversarial stage: other options, the same way to give them."""

import math
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from training.cli.adversarial_pipeline import run_adversarial
from training.cli.measure_commands import read_classifier
from training.cli.pipeline import RunOptions, clean_run
from training.cli.terminal import Device, OptionalPath, pick_device
from training.fit.adversarial_recipe import (
    ADVERSARIAL_PRESETS,
    AdversarialPreset,
    AdversarialRecipe,
)
from training.report import publish
from vae import checkpoint

DTYPES = {"fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True)
class FitAdversarial:
    """Add a detail branch to a checkpoint, and write it with its figures, images and card.

    Latents, directions and the prior stay those of the initial checkpoint. A run that is stopped
    resumes from its last save when the same command is given again, with the same result.

    Example: python -m training fit --preset faces-sharp --init-from models/faces --data faces.zip
    --out models/faces-sharp

    Attributes:
        data: see ``fit`` with another preset.
        out: folder for the checkpoint and its report.
        init_from: folder of the checkpoint that the branch is added to.
        preset: recipe that gives the defaults below.
        run: working folder; by default runs/NAME, where NAME is the last part of --out.
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
    init_from: Path
    preset: AdversarialPreset = "faces-sharp"
    run: OptionalPath = None
    classifier: OptionalPath = None
    licence: str = ""
    max_minutes: float = math.inf
    save_minutes: float = 3.0
    restart: bool = False
    weights: Literal["fp16", "fp32"] = "fp16"
    private: bool = False
    device: Device = "auto"
    recipe: AdversarialRecipe = ADVERSARIAL_PRESETS["faces-sharp"]

    def __call__(self) -> None:
        """Run the command."""
        folder = self.run or Path("runs") / self.out.resolve().name
        if self.restart:
            clean_run(folder)
        options = RunOptions(
            out=self.out,
            folder=folder,
            device=pick_device(self.device),
            command=f"python -m training {shlex.join(sys.argv[1:])}",
            licence=self.licence or publish.licence_of(self.data),
            dtype=DTYPES[self.weights],
            max_minutes=self.max_minutes,
            save_minutes=self.save_minutes,
            classifier=read_classifier(self.classifier),
            private=self.private,
            init_from=checkpoint.load(self.init_from / "model.safetensors"),
        )
        run_adversarial(self.recipe, self.data, options)

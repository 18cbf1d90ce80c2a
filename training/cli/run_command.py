"""The options that every ``fit`` has, whatever its preset."""

import math
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from training.analysis import attribute_classifier
from training.cli.run_folder import require_writable
from training.cli.run_stages import RunOptions
from training.cli.terminal import PROGRAM, Device, OptionalPath, pick_device
from training.data.files import text_of
from training.report import publish
from vae import checkpoint
from vae.attribute_classifier import AttributeClassifier

DTYPES = {"fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True, kw_only=True)
class RunCommand:
    """The options of a run beside its recipe.

    Attributes:
        data: a folder or .zip of images, with manifest.csv, with folders of the splits or classes,
            or with neither; or the root folder of torchvision's CelebA, MNIST or FashionMNIST.
        out: folder for the checkpoint and its report.
        run: working folder for saves, decoded images and logs; by default runs/NAME, where NAME is
            the last part of --out.
        classifier: file of a classifier to evaluate edits with, as ``classifier`` writes it.
        licence: of the data, for the card; by default what licence.txt in the data folder says.
        max_minutes: stop after this time.
        save_minutes: time between saves; the last two are kept.
        restart: begin anew; the saves in --run are removed.
        weights: how the checkpoint stores them.
        private: put images that show the data into the working folder's report.
        tensorboard: write the losses for TensorBoard too, into RUN/tensorboard.
        device: where to run; auto takes CUDA where there is a device.

    Raises:
        ValueError: if a time is negative or not a number.
    """

    data: Path
    out: Path
    run: OptionalPath = None
    classifier: OptionalPath = None
    licence: str = ""
    max_minutes: float = math.inf
    save_minutes: float = 3.0
    restart: bool = False
    weights: Literal["fp16", "fp32"] = "fp16"
    private: bool = False
    tensorboard: bool = False
    device: Device = "auto"

    def __post_init__(self) -> None:
        for name in ("max_minutes", "save_minutes"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")

    def run_options(
        self, init_from: Path | None, auxiliary_classifier: Path | None = None
    ) -> RunOptions:
        """The options for the pipeline.

        Args:
            init_from: folder of a checkpoint with the initial weights.
            auxiliary_classifier: file of a classifier for the loss.

        Raises:
            TrainingError: if the checkpoint or the run cannot be written.
        """
        folder = self.run or Path("runs") / self.out.resolve().name
        require_writable(self.out, "--out")
        require_writable(folder, "--run")
        return RunOptions(
            out=self.out,
            folder=folder,
            device=pick_device(self.device),
            command=text_of(f"{PROGRAM} {shlex.join(sys.argv[1:])}"),
            licence=self.licence or publish.licence_of(self.data),
            dtype=DTYPES[self.weights],
            max_minutes=self.max_minutes,
            save_minutes=self.save_minutes,
            classifier=read_classifier(self.classifier),
            private=self.private,
            tensorboard=self.tensorboard,
            init_from=(
                None if init_from is None else checkpoint.load(init_from / "model.safetensors")
            ),
            auxiliary_classifier=read_classifier(auxiliary_classifier),
            restart=self.restart,
        )


def read_classifier(file: Path | None) -> AttributeClassifier | None:
    """The classifier of an option, if it was given."""
    return None if file is None else attribute_classifier.load(file)

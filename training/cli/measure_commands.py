"""The commands that measure: ``evaluate``, ``card``, ``classifier`` and ``baseline``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from tyro.conf import Positional

from training import progress
from training.analysis import attribute_classifier
from training.analysis.classifier_networks import Network
from training.cli.pipeline import RunOptions, require_edits, run_recipe
from training.cli.run_command import DTYPES, read_classifier
from training.cli.run_folder import (
    EPOCHS,
    require_writable,
    require_writable_file,
    run_folder,
)
from training.cli.terminal import Device, OptionalPath, console, pick_device, print_metrics
from training.data.decoding import prepare
from training.data.sources import Source
from training.evaluate import baselines
from training.fit.classifier_training import SCHEDULES, train_classifier
from training.fit.presets import PRESETS
from training.report import card as cards
from training.report import publish
from training.report.metrics import add_baselines
from vae import checkpoint
from vae.attribute_classifier import AttributeClassifier, save
from vae.checkpoint import Checkpoint


@dataclass(frozen=True)
class Evaluate:
    """Measure a checkpoint on the test split, and write its figures, images and card anew.

    Without test images this is an error, and the checkpoint stays as it was.

    Example: python -m training evaluate --model models/avatars --data data/avatars

    Attributes:
        model: folder of the checkpoint.
        data: folder or .zip of the images, see ``fit``.
        source: kind of data.
        run: working folder; by default runs/NAME, where NAME is the last part of --model.
        classifier: file of a classifier to evaluate edits with, as ``classifier`` writes it.
        private: put images that show the data into the working folder's report.
        device: where to run; auto takes CUDA where there is a device.
    """

    model: Path
    data: Path
    source: Source = "auto"
    run: OptionalPath = None
    classifier: OptionalPath = None
    private: bool = False
    device: Device = "auto"

    def __call__(self) -> None:
        """Run the command."""
        file = self.model / "model.safetensors"
        loaded = checkpoint.load(file)
        folder = self.run or Path("runs") / self.model.resolve().name
        require_writable(self.model, "--model")
        require_writable(folder, "--run")
        classifier = read_classifier(self.classifier)
        with run_folder(folder, resumes=False):
            self._evaluate(loaded, checkpoint.stored_dtype(file), classifier, folder)

    def _evaluate(
        self,
        loaded: Checkpoint,
        dtype: torch.dtype,
        classifier: AttributeClassifier | None,
        folder: Path,
    ) -> None:
        config, source = loaded.model.config, self.source
        train, test = prepare(
            self.data, source, config.size, config.channels, folder, needs_test=True
        )
        if classifier is not None:
            require_edits(train, test)
        loaded.model.to(pick_device(self.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        published = publish.publish(
            loaded,
            train,
            test,
            folder / EPOCHS,
            self.model,
            dtype,
            classifier,
            self.private,
        )
        print_metrics(published, self.model)


@dataclass(frozen=True)
class Card:
    """Write the model card anew, from what the checkpoint and its folder hold.

    The figures of the checkpoints it is compared with stay in baselines.json, by their folders'
    names.

    Example: python -m training card --model models/faces --compare-with models/faces-100

    Attributes:
        model: folder of the checkpoint.
        compare_with: folders of other checkpoints.
    """

    model: Path
    compare_with: tuple[Path, ...] = ()

    def __call__(self) -> None:
        """Run the command."""
        others = {
            folder.resolve().name: checkpoint.load(folder / "model.safetensors").metrics
            for folder in self.compare_with
        }
        cards.write(checkpoint.load(self.model / "model.safetensors"), self.model, others)
        console.print(f"Wrote {self.model / 'README.md'} and report/index.html")


@dataclass(frozen=True)
class TrainClassifier:
    """Train an attribute classifier on the train split.

    One evaluates edits (``fit --classifier``); another, of another seed, may take part in a
    training (``fit --auxiliary-classifier``). One file cannot do both. The service uses a convnet
    in a checkpoint's folder, ``auxiliary_classifier.safetensors``, for ``strength=auto``.

    Example: python -m training classifier --data faces.zip --out runs/classifier.safetensors

    Attributes:
        data: folder or .zip of the images, see ``fit``.
        out: file to write.
        source: kind of data.
        run: working folder.
        network: EfficientNet-Lite0 with ImageNet weights, a small network with new weights, or
            one with weights of face recognition, which no loss uses and which is best at sex.
        epochs: passes over the train split; by default 3, of convnet 8, of face-resnet 1.
        labels: names of the 0/1 labels to predict.
        seed: of everything random; an auxiliary classifier needs one of its own.
        weights: how the file stores them.
        device: where to run; auto takes CUDA where there is a device.

    Raises:
        ValueError: if epochs is not 1 or more.
    """

    data: Path
    out: Path
    source: Source = "auto"
    run: Path = Path("runs/classifier")
    network: Network = "efficientnet-lite0"
    epochs: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    labels: tuple[str, ...] = ("glasses", "male")
    seed: int = 0
    weights: Literal["fp16", "fp32"] = "fp32"
    device: Device = "auto"

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}; it must be 1 or more")

    def __call__(self) -> None:
        """Run the command."""
        require_writable_file(self.out, "--out")
        require_writable(self.run, "--run")
        with run_folder(self.run, resumes=False):
            self._train()

    def _train(self) -> None:
        size = attribute_classifier.SIZE
        train, test = prepare(self.data, self.source, size, 3, self.run, needs_test=True)
        schedule = replace(SCHEDULES[self.network], seed=self.seed)
        if self.epochs is not None:
            schedule = replace(schedule, epochs=self.epochs)
        device = pick_device(self.device)
        with progress.task("Training the classifier"):
            classifier = train_classifier(train, self.labels, schedule, device)
        classifier.to(DTYPES[self.weights]).float()  # the accuracy is that of the stored weights
        with progress.task("Measuring its accuracy"):
            accuracy = attribute_classifier.accuracy(classifier, test)
        save(classifier, accuracy, self.out, DTYPES[self.weights])
        for name, value in accuracy.items():
            console.print(f"  {name}: {value:.1%} of {len(test)} test images")
        console.print(f"Wrote {self.out}")


@dataclass(frozen=True)
class Baseline:
    """Measure a baseline on the same data: principal components, or the tutorial's recipe.

    ``card`` compares a checkpoint with the figures in the baselines.json beside it.

    Example: python -m training baseline pca --data faces.zip --out models/faces/baselines.json

    Attributes:
        kind: principal components, or the tutorial's recipe as published.
        data: folder or .zip of the images, see ``fit``.
        out: JSON file to add the figures to.
        source: kind of data.
        run: working folder; by default runs/KIND.
        size: pixels a side, for pca.
        classifier: file of a classifier to evaluate edits with, as ``classifier`` writes it.
        device: where to run; auto takes CUDA where there is a device.
    """

    kind: Positional[Literal["pca", "tutorial"]]
    data: Path
    out: Path
    source: Source = "auto"
    run: OptionalPath = None
    size: int = 256
    classifier: OptionalPath = None
    device: Device = "auto"

    def __call__(self) -> None:
        """Run the command."""
        folder = self.run or Path("runs") / self.kind
        require_writable_file(self.out, "--out")
        require_writable(folder, "--run")
        figures = self._pca(folder) if self.kind == "pca" else self._tutorial(folder)
        add_baselines(self.out, {self.kind: figures})
        console.print(f"Wrote {self.out}")

    def _pca(self, folder: Path) -> dict[str, Any]:
        with run_folder(folder, resumes=False):
            train, test = prepare(self.data, self.source, self.size, 3, folder, needs_test=True)
            with progress.task("Principal components"):
                return dict(baselines.pca(train, test))

    def _tutorial(self, folder: Path) -> dict[str, Any]:
        options = RunOptions(
            out=folder / "model",
            folder=folder,
            device=pick_device(self.device),
            command="python -m training baseline tutorial",
            licence=publish.licence_of(self.data),
            classifier=read_classifier(self.classifier),
        )
        return run_recipe(PRESETS["tutorial"], self.data, options).metrics

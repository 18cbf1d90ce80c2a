"""The commands ``evaluate``, ``card`` and ``classifier``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from training import progress
from training.analysis import attribute_classifier
from training.analysis.classifier_networks import Network
from training.cli.run_command import DTYPES, read_classifier
from training.cli.run_folder import (
    EPOCHS,
    require_writable,
    require_writable_file,
    run_folder,
)
from training.cli.run_stages import require_edits
from training.cli.terminal import Device, OptionalPath, console, pick_device, print_metrics
from training.data.decoding import prepare
from training.data.sources import Source
from training.fit.classifier_training import SCHEDULES, train_classifier
from training.report import card as cards
from training.report import publish
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
            self.data,
            source,
            config.size,
            config.channels,
            folder,
            needs_test=True,
            check=None if classifier is None else require_edits,
        )
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
        train, test = prepare(
            self.data,
            self.source,
            size,
            3,
            self.run,
            needs_test=True,
            check=lambda train, _: attribute_classifier.label_table(train, self.labels),
        )
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

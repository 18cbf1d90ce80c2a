"""The command ``baseline``: figures of a baseline to compare a checkpoint with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from training import progress
from training.cli.pipeline import run_recipe
from training.cli.run_command import read_classifier
from training.cli.run_folder import require_writable, require_writable_file, run_folder
from training.cli.run_stages import RunOptions
from training.cli.terminal import Device, OptionalPath, console, pick_device
from training.data.decoding import prepare
from training.data.sources import Source
from training.evaluate import baselines
from training.fit.presets import PRESETS
from training.report import publish
from training.report.metrics import add_baselines


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

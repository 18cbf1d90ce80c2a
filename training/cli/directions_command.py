"""The command ``directions``: the directions of a checkpoint made anew from its data."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from training import progress
from training.analysis.directions import fit_directions, indicators
from training.analysis.encoding import encoded_means
from training.cli.run_folder import require_writable, run_folder
from training.cli.terminal import Device, OptionalPath, console, pick_device
from training.data.dataset import DataError, Dataset
from training.data.decoding import prepare
from training.data.sources import Source
from vae import checkpoint
from vae.checkpoint import Checkpoint
from vae.directions import Direction


@dataclass(frozen=True)
class Directions:
    """Fit the directions of a checkpoint anew; its weights, statistics and prior stay as they are.

    They are fitted to the train split, as ``fit`` does at the end of a training, and replace all
    directions of the checkpoint. The new file has a new hash, so that images of the old one are
    encoded again. ``evaluate`` measures the new directions and writes the card.

    Example: python -m training directions --model models/avatars --data data/avatars

    Attributes:
        model: folder of the checkpoint.
        data: folder or .zip of the labelled images that it was trained on, see ``fit``.
        source: kind of data.
        run: working folder; by default runs/NAME, where NAME is the last part of --model.
        device: where to run; auto takes CUDA where there is a device.
    """

    model: Path
    data: Path
    source: Source = "auto"
    run: OptionalPath = None
    device: Device = "auto"

    def __call__(self) -> None:
        """Run the command."""
        file = self.model / "model.safetensors"
        loaded = checkpoint.load(file)
        folder = self.run or Path("runs") / self.model.resolve().name
        require_writable(self.model, "--model")
        require_writable(folder, "--run")
        with run_folder(folder, resumes=False):
            directions = self._fitted(loaded, folder)
        described = replace(loaded, directions=directions)
        checkpoint.save(described, file, checkpoint.stored_dtype(file))
        for name, direction in directions.items():
            length = float(direction.vector.norm())
            console.print(f"  {name}: length {length:.2f}, {direction.count} images")
        if gone := loaded.directions.keys() - directions.keys():
            console.print(f"No longer there: {', '.join(sorted(gone))}")
        console.print(f"Wrote {file}; the figures and the card are those of the old directions")

    def _require_labels(self, train: Dataset) -> None:
        if not indicators(train):
            raise DataError(
                f"{self.data}: it has no labels; directions need class folders, or a manifest.csv "
                "with a column for each label"
            )

    def _fitted(self, loaded: Checkpoint, folder: Path) -> dict[str, Direction]:
        config = loaded.model.config
        train, _ = prepare(
            self.data,
            self.source,
            config.size,
            config.channels,
            folder,
            check=lambda train, _: self._require_labels(train),
        )
        loaded.model.to(pick_device(self.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        with progress.task("Encoding the train split"):
            means = encoded_means(loaded.model, train)
        with progress.task("Fitting the directions"):
            directions = fit_directions(means, train)
        if not directions:
            raise DataError(
                f"{self.data}: no label gives a direction; one must have two values, and be known "
                "in enough images of the train split"
            )
        return directions

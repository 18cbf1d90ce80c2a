"""The command ``image-statistics``: what ``/score`` and ``/inpaint`` need of a checkpoint."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from training.cli.run_folder import require_writable, run_folder
from training.cli.terminal import Device, OptionalPath, console, pick_device
from training.data.decoding import prepare
from training.data.sources import Source
from training.evaluate.with_image_statistics import with_image_statistics
from training.report import card
from vae import checkpoint
from vae.atomic_file import atomic_write


@dataclass(frozen=True)
class MeasureImages:
    """Write statistics of images into a checkpoint; its weights stay as they are.

    They are quantiles of the evidence lower bound of train images, moved by the difference of the
    means of test and train images, by which the service says how unusual an image is (/score); and
    a regression of coarse pixels on latents, by which it fills in parts of images (/inpaint).
    ``fit`` and ``evaluate`` write them too. The new file has a new hash, so that images of the old
    one are encoded again. The card is written anew.

    Example: python -m training image-statistics --model models/faces --data faces.zip

    Attributes:
        model: folder of the checkpoint.
        data: folder or .zip of the images that it was trained on, see ``fit``.
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
        config = loaded.model.config
        with run_folder(folder, resumes=False):
            train, test = prepare(self.data, self.source, config.size, config.channels, folder)
            loaded.model.to(pick_device(self.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
            described = with_image_statistics(loaded, train, test)
        checkpoint.save(described, file, checkpoint.stored_dtype(file))
        with atomic_write(self.model / "metrics.json") as metrics:
            metrics.write((json.dumps(described.metrics, indent=2) + "\n").encode())
        card.write(described, self.model)
        for name, value in described.metrics.get("score", {}).items():
            console.print(f"  {name}: {value:.4g}")
        console.print(f"Wrote {self.model}: model.safetensors, metrics.json, README.md")

"""The command ``align-template``: where a model's training images have their faces."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training import progress
from training.analysis.alignment import median_landmarks
from training.cli.run_folder import require_writable
from training.cli.terminal import Device, console, pick_device
from training.data.decoding import decoded
from training.data.sources import Source, read_entries
from vae import checkpoint
from vae.faces import detector


@dataclass(frozen=True)
class AlignTemplate:
    """Write the alignment template of a model into its checkpoint; its weights stay as they are.

    The template is the median position of five landmarks in images of the train split. With it,
    the service aligns ordinary photographs. The new file has a new hash, so that images of the
    old one are encoded again.

    Example: python -m training align-template --model models/faces --data faces.zip

    Attributes:
        model: folder of the checkpoint.
        data: folder or .zip of the aligned faces that it was trained on, see ``fit``.
        source: kind of data.
        images: number of images to measure, evenly spaced.
        detector: folder of the face detector.
        device: where to run; auto takes CUDA where there is a device.

    Raises:
        ValueError: if images is not 1 or more.
    """

    model: Path
    data: Path
    source: Source = "auto"
    images: int = 1000
    detector: Path = Path("models/face_detector")
    device: Device = "auto"

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ValueError(f"images is {self.images}; it must be 1 or more")

    def __call__(self) -> None:
        """Run the command."""
        file = self.model / "model.safetensors"
        loaded = checkpoint.load(file)
        require_writable(self.model, "--model")
        entries, _ = read_entries(self.data, self.source)
        train = [entry for entry in entries if not entry.is_test]
        count = min(self.images, len(train))
        chosen = [train[i * len(train) // count] for i in range(count)]
        images = decoded(chosen, self.data, loaded.model.config.size, 3)
        with progress.task("Finding faces", count) as finding:
            template, found = median_landmarks(
                (np.array(image) for image in finding.each(images) if image is not None),
                detector.load(self.detector, pick_device(self.device)),
            )
        described = replace(loaded, alignment_template=template)
        checkpoint.save(described, file, checkpoint.stored_dtype(file))
        for name, (x, y) in zip(detector.LANDMARKS, template, strict=True):
            console.print(f"  {name}: {x:.1f}, {y:.1f}")
        console.print(f"Wrote {file}; faces were found in {found} of {count} images")

"""The command ``average-detail``: one detail branch of several."""

from dataclasses import dataclass, replace
from pathlib import Path

from training import progress
from training.analysis.detail_average import average_detail
from training.cli.run_folder import require_writable
from training.cli.terminal import console
from training.fit.errors import TrainingError
from vae import checkpoint
from vae.checkpoint import Checkpoint


@dataclass(frozen=True)
class AverageDetail:
    """Average the detail branches of checkpoints that have everything else in common.

    The result is the first checkpoint with the mean of the branches' weights. ``evaluate`` measures
    it and writes its card.

    Example: python -m training average-detail --models runs/out/sharp1 runs/out/sharp2
    --gain 1.2 --out models/faces-sharp

    Attributes:
        models: folders of the checkpoints.
        out: folder for the result.
        gain: factor of what the branch adds to an image; an average adds less than each branch.
    """

    models: tuple[Path, ...]
    out: Path
    gain: float = 1.0

    def __call__(self) -> None:
        """Run the command."""
        if not 0 < self.gain <= 2:
            raise TrainingError(f"gain is {self.gain}; it must be above 0 and at most 2")
        require_writable(self.out, "--out")
        files = [model / "model.safetensors" for model in self.models]
        with progress.task("Reading checkpoints", len(files), unit="checkpoints") as reading:
            loaded = [_with_branch(file) for file in reading.each(files)]
        with progress.task("Averaging the detail branches"):
            try:
                averaged = average_detail(loaded, self.gain)
            except ValueError as error:
                raise TrainingError(str(error)) from None
        facts = {"of": [one.sha256 for one in loaded], "gain": self.gain}
        described = replace(averaged, provenance={**averaged.provenance, "average": facts})
        self.out.mkdir(parents=True, exist_ok=True)
        file = self.out / "model.safetensors"
        with progress.task("Writing the checkpoint"):
            checkpoint.save(described, file, checkpoint.stored_dtype(files[0]))
        console.print(f"Wrote {file}; its figures are still those of {self.models[0]}")


def _with_branch(file: Path) -> Checkpoint:
    loaded = checkpoint.load(file)
    if loaded.model.detail is None:
        raise TrainingError(f"{file} has no detail branch; 'fit' adds one (faces-sharp)")
    return loaded

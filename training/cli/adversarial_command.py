"""``fit`` with a preset of the adversarial stage: other options, the same way to give them."""

from dataclasses import dataclass
from pathlib import Path

from training.cli.adversarial_pipeline import run_adversarial
from training.cli.run_command import RunCommand
from training.fit.adversarial_recipe import (
    ADVERSARIAL_PRESETS,
    AdversarialPreset,
    AdversarialRecipe,
)


@dataclass(frozen=True, kw_only=True)
class FitAdversarial(RunCommand):
    """Add a detail branch to a checkpoint, and write it with its figures, images and card.

    Latents, directions and the prior stay those of the initial checkpoint. A run that is stopped
    resumes from its last save when the same command is given again, with the same result.

    Example: python -m training fit --preset faces-sharp --init-from models/faces --data faces.zip
    --out models/faces-sharp

    Attributes:
        init_from: folder of the checkpoint that the branch is added to.
        preset: recipe that gives the defaults below.
        recipe: the recipe.
    """

    init_from: Path
    preset: AdversarialPreset = "faces-sharp"
    recipe: AdversarialRecipe = ADVERSARIAL_PRESETS["faces-sharp"]

    def __call__(self) -> None:
        """Run the command."""
        run_adversarial(self.recipe, self.data, self.run_options(self.init_from))

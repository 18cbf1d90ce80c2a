"""Recipes of the adversarial stage: one frozen ``AdversarialRecipe`` a preset."""

from dataclasses import dataclass, field, replace
from typing import Literal

from training.data.augment import Augmentation
from training.data.sources import Source
from training.fit.limits import check_length, check_steps

AdversarialPreset = Literal["faces-sharp", "faces-sharp-stage2"]


@dataclass(frozen=True)
class AdversarialRecipe:
    """An adversarial stage: the same recipe, data and initial checkpoint give the same weights.

    Attributes:
        source: kind of data; ``auto`` looks for manifest.csv and for CelebA, else class folders.
        detail_channels: of the branch (see ``vae.detail``).
        epochs: passes over the train split.
        batch_size: images a step.
        shards: parts of a batch, each on a thread of its own, whose gradients are averaged.
        learning_rate: of the branch's Adam, at its peak.
        discriminator_learning_rate: of the discriminator's Adam, at its peak; a multiple of the
            branch's, so that the discriminator stays ahead (Heusel et al., "GANs Trained by a Two
            Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017).
        betas: of both.
        warmup_steps: over which the branch's adversarial terms rise linearly from zero.
        cooldown: last share of the training, over which both rates fall linearly to zero.
        clip: largest norm of the branch's gradient; inf for no clipping.
        ema: decay of the exponential moving average of the branch, which the checkpoint holds.
        window: pixels a side of what the discriminator sees of an image; a multiple of 8.
        absolute: weight of the mean absolute error of pixels.
        low_frequency: weight of the squared error of averages over 8 x 8 pixels.
        feature_matching: weight of the differences of the discriminator's features.
        adversarial: weight of the hinge loss.
        sampled: share of a batch whose latents are sampled from the posterior; the others are
            means.
        balance: name of a 0/1 label, or empty.
        balance_stride: every so many images of an epoch, one has that label.
        augmentation: random changes of the training images.
        seed: of initial weights, order, augmentation, windows and noise.

    Raises:
        ValueError: if a value is out of range.
    """

    source: Source = "auto"
    detail_channels: int = 48
    epochs: float = 13
    batch_size: int = 8
    shards: int = 2
    learning_rate: float = 2e-4
    discriminator_learning_rate: float = 4e-4
    betas: tuple[float, float] = (0.5, 0.99)
    warmup_steps: int = 300
    cooldown: float = 0.0
    clip: float = 5.0
    ema: float = 0.9995
    window: int = 160
    absolute: float = 10.0
    low_frequency: float = 50.0
    feature_matching: float = 10.0
    adversarial: float = 0.5
    sampled: float = 0.5
    balance: str = ""
    balance_stride: int = 4
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("detail_channels", "batch_size", "shards", "balance_stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("epochs", "seed"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        check_length(self.epochs, self.seed)
        rates = ("learning_rate", "discriminator_learning_rate")
        check_steps({name: getattr(self, name) for name in rates}, self.clip)
        for name in ("cooldown", "sampled"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be between 0 and 1")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are {self.betas}; each must be 0 or more and less than 1")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is {self.ema}; it must be 0 or more and less than 1")
        if self.window < 8 or self.window % 8:
            raise ValueError(f"window is {self.window}; it must be a multiple of 8")


FACES_SHARP = AdversarialRecipe(balance="glasses", augmentation=Augmentation(flip=True))
ADVERSARIAL_PRESETS: dict[str, AdversarialRecipe] = {
    "faces-sharp": FACES_SHARP,  # initialised from "faces-stage4"
    # Initialised from "faces-sharp": less weight on pixels, more on the discriminator, which is
    # given the time to stay ahead. The branch becomes sharper, and loses some accuracy.
    "faces-sharp-stage2": replace(
        FACES_SHARP, epochs=10, learning_rate=1e-4, absolute=4.0, adversarial=1.0
    ),
}

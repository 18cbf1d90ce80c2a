"""Training recipes: one frozen ``Recipe`` a preset; the command line can change every field."""

from dataclasses import dataclass, field, replace
from typing import Literal

from training.data.augment import Augmentation
from training.data.sources import Source
from training.fit.limits import check_length, check_steps
from training.fit.loss import LossConfig
from vae.config import VAEConfig

Preset = Literal[
    "mnist",
    "fashion",
    "tutorial",
    "avatars",
    "faces",
    "faces-stage2",
    "faces-stage3",
    "faces-stage4",
    "faces-100",
]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run: the same recipe and data give the same weights.

    Attributes:
        model: the network.
        loss: the objective.
        source: kind of data; ``auto`` looks for manifest.csv and for CelebA, else class folders.
        epochs: passes over the train split.
        batch_size: images a step.
        learning_rate: of AdamW, at its peak.
        weight_decay: of AdamW (decoupled).
        warmup_steps: over which the learning rate rises linearly from zero.
        cosine: whether the learning rate then falls to zero along a cosine; else it stays.
        clip: largest gradient norm; inf for no clipping.
        ema: decay of the exponential moving average of the weights, which the checkpoint holds; 0
            for the last weights.
        augmentation: random changes of the training images.
        balance: name of a 0/1 label that half of every batch is given, or empty.
        seed: of initial weights, order, augmentation and noise.

    Raises:
        ValueError: if a value is out of range.
    """

    model: VAEConfig
    loss: LossConfig = field(default_factory=LossConfig)
    source: Source = "auto"
    epochs: float = 10
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup_steps: int = 100
    cosine: bool = True
    clip: float = 1.0
    ema: float = 0.999
    augmentation: Augmentation = field(default_factory=Augmentation)
    balance: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}; it must be 1 or more")
        for name in ("epochs", "weight_decay", "warmup_steps", "seed"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        check_length(self.epochs, self.seed)
        check_steps({"learning_rate": self.learning_rate}, self.clip)
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is {self.ema}; it must be 0 or more and less than 1")


FACES = VAEConfig(latent_dim=128, patch=8, widths=(64, 128, 192, 320))

STAGE4 = Recipe(  # initialised from "faces-stage3"
    model=FACES,
    loss=LossConfig(
        weight=14.0,
        gradient_weight=1.0,
        row_weight=(0.25, 0.55, 2.0),
        classifier_weight=0.015,
        positive_weight=12.0,
    ),
    epochs=0.6,
    learning_rate=1e-4,
    warmup_steps=20,
    ema=0.98,
    augmentation=Augmentation(flip=True),
    balance="glasses",
)

PRESETS: dict[Preset, Recipe] = {
    "mnist": Recipe(
        model=VAEConfig("mlp", channels=1, size=28, latent_dim=20, output="sigmoid"),
        loss=LossConfig("bce"),
        source="mnist",
        batch_size=128,
        ema=0.0,
        warmup_steps=0,
    ),
    "fashion": Recipe(
        model=VAEConfig("conv28", channels=1, size=28, latent_dim=2, output="sigmoid"),
        loss=LossConfig("bce"),
        source="fashion",
        batch_size=128,
        ema=0.0,
        warmup_steps=0,
    ),
    "tutorial": Recipe(
        model=VAEConfig("tutorial", channels=3, size=256, latent_dim=100, output="sigmoid"),
        loss=LossConfig("mse"),
        batch_size=16,
        learning_rate=1e-4,
        weight_decay=1e-5,
        warmup_steps=0,
        cosine=False,
        clip=float("inf"),
        ema=0.0,
    ),
    "avatars": Recipe(
        model=VAEConfig(latent_dim=32),
        loss=LossConfig(weight=0.1, kl_warmup=0.3, gradient_weight=1.0, row_weight=(0.3, 0.6, 3.0)),
        epochs=8,
        batch_size=16,
        learning_rate=6e-4,
        warmup_steps=300,
        clip=0.05,
    ),
    "faces": Recipe(
        model=FACES,
        loss=LossConfig(
            weight=10.0, kl_warmup=0.1, gradient_weight=3.0, row_weight=(0.25, 0.55, 6.0)
        ),
        epochs=12,
        learning_rate=8e-4,
        warmup_steps=500,
        clip=2.0,
        augmentation=Augmentation(flip=True, shift=4, jitter=0.05),
        balance="glasses",
    ),
    "faces-stage2": Recipe(  # initialised from "faces"
        model=FACES,
        loss=LossConfig(
            weight=10.0, gradient_weight=1.0, row_weight=(0.25, 0.55, 3.0), classifier_weight=0.01
        ),
        epochs=5,
        learning_rate=4e-4,
        warmup_steps=100,
        augmentation=Augmentation(flip=True),
        balance="glasses",
    ),
    "faces-stage3": Recipe(  # initialised from "faces-stage2"
        model=FACES,
        loss=LossConfig(
            weight=10.0,
            gradient_weight=1.0,
            row_weight=(0.25, 0.55, 2.0),
            classifier_weight=0.01,
            positive_weight=12.0,
        ),
        epochs=2.5,
        learning_rate=2e-4,
        warmup_steps=50,
        augmentation=Augmentation(flip=True),
        balance="glasses",
    ),
    "faces-stage4": STAGE4,
    "faces-100": replace(  # initialised from the first 100 principal axes of "faces-stage4"
        STAGE4, model=replace(FACES, latent_dim=100), epochs=1.0, learning_rate=2e-4
    ),
}

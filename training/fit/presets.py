"""What to train and how: one frozen recipe a preset; the command line can change it."""

from dataclasses import dataclass, field, replace
from typing import Literal

from training.data.augment import Augmentation
from training.data.sources import Source
from training.fit.loss import LossConfig
from vae.model import VAEConfig

Preset = Literal[
    "mnist",
    "fashion",
    "book",
    "avatars",
    "faces",
    "faces-finish",
    "faces-polish",
    "faces-settle",
    "faces-100",
]


@dataclass(frozen=True)
class Recipe:
    """A training run, whole: the same recipe on the same data gives the same weights.

    Attributes:
        model: the network.
        loss: the objective.
        source: kind of data.
        epochs: passes over the train split.
        batch_size: pictures a step.
        learning_rate: of AdamW, at its peak.
        weight_decay: of AdamW (decoupled).
        warmup_steps: over which the rate rises linearly from zero.
        cosine: whether the rate then falls to zero along a cosine (else it stays).
        clip: largest gradient norm.
        ema: decay of the averaged weights, which are the ones kept; 0 keeps the last weights.
        augmentation: what may happen to a picture each time it is seen.
        balance: name of a 0/1 label that half of every batch is given, or empty.
        seed: of initial weights, order, flips and noise.
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


FACES = VAEConfig(latent_dim=128, patch=8, widths=(64, 128, 192, 320))

SETTLE = Recipe(  # begins with what "faces-polish" gave
    model=FACES,
    loss=LossConfig(
        weight=14.0, edges=1.0, band=(0.25, 0.55, 2.0), guide=0.015, guide_positive=12.0
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
    "book": Recipe(
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
        loss=LossConfig(weight=0.1, kl_warmup=0.3, edges=1.0, band=(0.3, 0.6, 3.0)),
        epochs=8,
        batch_size=16,
        learning_rate=6e-4,
        warmup_steps=300,
        clip=0.05,
    ),
    "faces": Recipe(
        model=FACES,
        loss=LossConfig(weight=10.0, kl_warmup=0.1, edges=3.0, band=(0.25, 0.55, 6.0)),
        epochs=12,
        learning_rate=8e-4,
        warmup_steps=500,
        clip=2.0,
        augmentation=Augmentation(flip=True, shift=4, jitter=0.05),
        balance="glasses",
    ),
    "faces-finish": Recipe(  # begins with what "faces" gave
        model=FACES,
        loss=LossConfig(weight=10.0, edges=1.0, band=(0.25, 0.55, 3.0), guide=0.01),
        epochs=5,
        learning_rate=4e-4,
        warmup_steps=100,
        augmentation=Augmentation(flip=True),
        balance="glasses",
    ),
    "faces-polish": Recipe(  # begins with what "faces-finish" gave
        model=FACES,
        loss=LossConfig(
            weight=10.0, edges=1.0, band=(0.25, 0.55, 2.0), guide=0.01, guide_positive=12.0
        ),
        epochs=2.5,
        learning_rate=2e-4,
        warmup_steps=50,
        augmentation=Augmentation(flip=True),
        balance="glasses",
    ),
    "faces-settle": SETTLE,
    "faces-100": replace(  # begins with what "faces-settle" gave, less its 28 least axes
        SETTLE, model=replace(FACES, latent_dim=100), epochs=1.0, learning_rate=2e-4
    ),
}

"""The configuration that a model is built from."""

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

Family = Literal["mlp", "conv28", "tutorial", "residual"]
Output = Literal["sigmoid", "clamp"]

MAX_WIDTH = 8192  # and MAX_BLOCKS: a damaged or hostile config must not take hours to build
MAX_BLOCKS = 16


@dataclass(frozen=True)
class VAEConfig:
    """Everything that is needed to build a model, validated on construction.

    Attributes:
        family: which networks (see ``vae.networks``).
        channels: 1 (grey) or 3 (RGB).
        size: pixels a side; images are square.
        latent_dim: D, the length of a latent.
        output: how the decoder's logits become pixels: ``sigmoid``, or ``clamp`` (logits + 0.5,
            clipped to [0, 1]; it does not saturate, so squared error reaches pure black and white).
        hidden: width of the dense layer (``mlp`` only).
        patch: side of the pixel blocks that stem and head turn into channels (``residual`` only).
        widths: channels of each level, finest first (``residual`` only).
        blocks: residual blocks a level (``residual`` only).
        detail_channels: of the decoder's detail branch (see ``vae.detail``), 0 for none
            (``residual`` only).

    Raises:
        ValueError: if the values do not describe a network that can be built.
    """

    family: Family = "residual"
    channels: int = 3
    size: int = 256
    latent_dim: int = 128
    output: Output = "clamp"
    hidden: int = 400
    patch: int = 4
    widths: tuple[int, ...] = (32, 64, 128, 192)
    blocks: int = 1
    detail_channels: int = 0

    def __post_init__(self) -> None:
        if self.family not in get_args(Family):
            raise ValueError(f"family is {self.family!r}; choose from {get_args(Family)}")
        if self.output not in get_args(Output):
            raise ValueError(f"output is {self.output!r}; choose from {get_args(Output)}")
        sizes = (self.channels, self.size, self.latent_dim, self.hidden, self.patch, self.blocks)
        counts = (*sizes, *self.widths, self.detail_channels)
        if any(not isinstance(n, int) or isinstance(n, bool) for n in counts):
            raise ValueError("sizes, widths and counts must be whole numbers")
        if self.channels not in (1, 3):
            raise ValueError(f"channels is {self.channels}; it must be 1 (grey) or 3 (RGB)")
        widths = (self.latent_dim, self.hidden, *self.widths)
        if not self.widths or any(not 1 <= n <= MAX_WIDTH for n in widths):
            raise ValueError(f"latent_dim, hidden and widths must be between 1 and {MAX_WIDTH}")
        if not 0 <= self.blocks <= MAX_BLOCKS:
            raise ValueError(f"blocks is {self.blocks}; it must be between 0 and {MAX_BLOCKS}")
        expected = {"mlp": (1, self.size), "conv28": (1, 28), "tutorial": (3, 256)}
        if (self.channels, self.size) != expected.get(self.family, (self.channels, self.size)):
            channels, size = expected[self.family]
            raise ValueError(
                f"family {self.family!r} takes {channels} x {size} x {size} images, "
                f"not {self.channels} x {self.size} x {self.size}"
            )
        if self.detail_channels:
            self._check_detail()
        if self.family == "residual":
            self._check_residual()
        elif not 1 <= self.size <= 256:
            raise ValueError(f"size is {self.size}; it must be between 1 and 256")

    def _check_residual(self) -> None:
        if self.size not in range(32, 257, 32):
            raise ValueError(f"size is {self.size}; it must be a multiple of 32 between 32 and 256")
        if self.patch < 1 or self.size % (self.patch << (len(self.widths) - 1)):
            raise ValueError(
                f"patch {self.patch} and {len(self.widths)} levels do not divide size {self.size}"
            )

    def _check_detail(self) -> None:
        if not 1 <= self.detail_channels <= MAX_WIDTH:
            raise ValueError(f"detail_channels must be between 0 and {MAX_WIDTH}")
        if self.family != "residual" or self.patch % 2:
            raise ValueError("a detail branch needs family residual and an even patch")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "VAEConfig":
        """Build a config from plain JSON values, also from those of older checkpoints.

        Raises:
            ValueError: if a field is unknown or out of range.
        """
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"unknown fields {sorted(unknown)}")
        if "widths" in values:
            values = {**values, "widths": tuple(values["widths"])}
        if values.get("family") == "book":  # its name in checkpoints of format 1
            values = {**values, "family": "tutorial"}
        return cls(**values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image: ``(C, S, S)``."""
        return (self.channels, self.size, self.size)

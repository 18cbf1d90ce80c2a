"""Random changes of training images: mirroring, shifts and colour jitter."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Augmentation:
    """What may happen to an image each time it is seen.

    Attributes:
        flip: mirror half of the images.
        shift: move by up to so many whole pixels in each direction; the edge is repeated.
        jitter: multiply each channel by a factor between 1 - jitter and 1 + jitter.

    Raises:
        ValueError: if shift is negative, or jitter is not between 0 and 1.
    """

    flip: bool = False
    shift: int = 0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if self.shift < 0 or not 0 <= self.jitter <= 1:
            raise ValueError("shift must not be negative, and jitter must be between 0 and 1")

    def __call__(self, batch: Tensor, rng: np.random.Generator) -> Tensor:
        """A changed copy of a batch uint8 ``(B, S, S, C)``; the same for the same generator."""
        count, size, _, channels = batch.shape
        if self.flip:
            mirrored = torch.from_numpy(rng.random(count) < 0.5)[:, None, None, None]
            batch = torch.where(mirrored, batch.flip(2), batch)
        if self.shift:
            # Padding takes floats in N C H W; a byte is exact in them.
            planes = batch.permute(0, 3, 1, 2).float()
            padded = F.pad(planes, [self.shift] * 4, mode="replicate")
            corners = rng.integers(0, 2 * self.shift + 1, (count, 2)).tolist()
            planes = torch.stack(
                [
                    p[:, y : y + size, x : x + size]
                    for p, (y, x) in zip(padded, corners, strict=True)
                ]
            )
            batch = planes.permute(0, 2, 3, 1).to(torch.uint8)
        if self.jitter:
            gain = rng.uniform(1 - self.jitter, 1 + self.jitter, (count, 1, 1, channels))
            batch = (batch * torch.from_numpy(gain).float()).round().clamp(0, 255).to(torch.uint8)
        return batch

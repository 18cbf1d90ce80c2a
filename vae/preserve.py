"""Editing a photograph where its latent was edited, and nowhere else.

The decoder shows what an edit changes, as the difference of two decodes; the photograph keeps
every other pixel. Images are float32 ``(N, C, S, S)`` in [0, 1].
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PixelEdit:
    """What an edit changes: ``(1 - alpha) * x + alpha * replacement + added`` for the pixels ``x``.

    What an edit adds is added to the photograph, whose skin and light show beside it. What it takes
    away is replaced, because only the decoder knows what is behind it. Outside the mask ``alpha``
    and ``added`` are exactly 0.

    Attributes:
        alpha: ``(N, 1, S, S)`` in [0, 1], how much of the photograph is replaced.
        replacement: ``(N, C, S, S)``, matched to the photograph in colour.
        added: ``(N, C, S, S)``, differences of pixels.
        mask: ``(N, 1, S, S)`` in [0, 1], where anything changes.
    """

    alpha: Tensor
    replacement: Tensor
    added: Tensor
    mask: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """The edited photograph, in [0, 1]; equal to ``x`` to the last bit outside the mask."""
        edited = (x + self.alpha * (self.replacement - x) + self.added).clamp(0.0, 1.0)
        return edited.where(self.mask > 0, x)


def preserve_edit(original: Tensor, before: Tensor, after: Tensor) -> PixelEdit:
    """What an edit of the latent changes in the photograph.

    Args:
        original: ``(N, C, S, S)`` in [0, 1], the photograph.
        before: decode of its latent, of the same shape.
        after: decode of the edited latent, of the same shape.
    """
    change = after - before
    mask = (change.abs().amax(1, keepdim=True) > 0).float()
    return PixelEdit(torch.zeros_like(mask), torch.zeros_like(original), mask * change, mask)

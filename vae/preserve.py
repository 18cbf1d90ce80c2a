"""Editing a photograph where its latent was edited, and nowhere else.

The decoder shows what an edit changes, as the difference of two decodes; the photograph keeps
every other pixel. Images are float32 ``(N, C, S, S)`` in [0, 1]. Lengths are given for 256 pixels
a side and scaled to others.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vae.blending import match_grain, match_light, radius, sigma
from vae.filters import (
    close,
    coarse_blur,
    coarse_maximum,
    dilate,
    enlarged,
    fill_holes,
    gaussian_blur,
    gradient,
    reconstruct,
    smoothstep,
)

COARSE = 4  # pixels a side of the blocks in which regions are found
VISIBLE = 0.02  # change of a pixel that counts
CORE = 0.5  # of the strongest change: a region contains one that is as strong
# Weaker changes do not belong to a region: a fraction of the strongest change, and a change of a
# pixel. What an edit is known to add may be faint in part, such as a frame that is thin at one eye;
# beside what it is known to take away, faint changes are an accident.
LEAST_ADDED, LEAST_BESIDE = (0.25, 0.1), (0.3, 0.12)
LEAST_REMOVED = (0.3, 0.08)
MAX_CONTRAST = 1.6  # of what an edit is known to add, relative to its decode
LOW_CONTRAST = 0.02  # standard deviation of pixels; a lower one is not enlarged
EDGE_POWER = 4  # of gradients: the strongest edges decide
BALANCE = (0.65, 0.25)  # share of vanishing edges from which more is replaced than added, of an
# edit that is known to add, and of one that is known to take away
SOFTNESS = 0.1  # of that share, on each side
LEFTOVER = 0.10  # difference of photograph and decode that is taken for what is removed


@dataclass(frozen=True)
class PixelEdit:
    """What an edit changes: ``(1 - alpha) * x + alpha * replacement + added`` for the pixels ``x``.

    What an edit adds is added to the photograph, whose skin and light show beside it. What it takes
    away is replaced, because only the decoder knows what is behind it. Outside the mask ``alpha``
    and ``added`` are exactly 0.

    Attributes:
        alpha: ``(N, 1, S, S)`` in [0, 1], how much of the photograph is replaced.
        replacement: ``(N, C, S, S)``, matched to the photograph in colour and grain.
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


def preserve_edit(
    original: Tensor, before: Tensor, after: Tensor, removal: float = 0.5
) -> PixelEdit:
    """The change from one decode to another, for the photograph that the first is a decode of.

    Args:
        original: the photograph, ``(N, C, S, S)`` in [0, 1].
        before: decode of its latent, of the same shape.
        after: decode of the edited latent, of the same shape.
        removal: what is known of the edit, in [0, 1]: 0 if it adds something, 1 if it takes
            something away, 0.5 if neither is known. What edges show of it counts too.
    """
    unit = original.shape[-1] / 256
    before, after = _with_saturation_of(original, before, after)
    difference = after - before
    change = gaussian_blur(difference.abs().amax(1, keepdim=True), sigma(2, unit))
    least = (a + removal * (b - a) for a, b in zip(LEAST_ADDED, LEAST_BESIDE, strict=True))
    seen = dilate(_region(change, *least), radius(4, unit))
    fraction = _replaced_fraction(before, after, seen, removal, unit)
    added = (1.0 - fraction) * _feathered(seen, unit) * _agreement(original, before, unit)
    gain = (1.0 - removal) * (_contrast(original, before, seen, unit) - 1.0)
    difference = difference + gain * (difference - coarse_blur(difference, sigma(16, unit)))
    if not fraction.any():
        nothing = torch.zeros_like(added)
        return PixelEdit(alpha=nothing, replacement=after, added=added * difference, mask=added)
    removed, replacement = _replacement(original, after, change, unit)
    alpha = fraction * _feathered(removed, unit)
    mask = torch.maximum(alpha, added)
    return PixelEdit(alpha=alpha, replacement=replacement, added=added * difference, mask=mask)


def _replacement(
    original: Tensor, after: Tensor, change: Tensor, unit: float
) -> tuple[Tensor, Tensor]:
    """The region of what is taken away, and what replaces it.

    It is replaced with all that it surrounds, such as the lenses of a frame.
    """
    removed = coarse_maximum(_region(change, *LEAST_REMOVED), COARSE)
    removed = enlarged(fill_holes(close(removed, radius(2, unit))), COARSE, change)
    removed = dilate(removed, radius(3, unit))
    matched = match_light(after, original, 1.0 - dilate(removed, radius(4, unit)), unit)
    removed = _with_leftovers(removed, original, matched, unit)
    matched = match_light(after, original, 1.0 - dilate(removed, radius(4, unit)), unit)
    return removed, matched + match_grain(original, matched, removed, unit)


def _contrast(original: Tensor, before: Tensor, region: Tensor, unit: float) -> Tensor:
    """Contrast of the photograph over that of its decode, 1 to ``MAX_CONTRAST``, ``(N, 1, 1, 1)``.

    A decode is smoother than the photograph, and a frame that is drawn in it is fainter.
    """

    def variance(x: Tensor) -> Tensor:
        fine = gaussian_blur(x.mean(1, keepdim=True), sigma(1, unit))
        band = fine - coarse_blur(fine, sigma(8, unit))
        energy = (band.square() * region).sum((2, 3), keepdim=True)
        return energy / region.sum((2, 3), keepdim=True).clamp_min(1.0) + LOW_CONTRAST**2

    return (variance(original) / variance(before)).sqrt().clamp(1.0, MAX_CONTRAST)


def _with_saturation_of(original: Tensor, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Decodes whose colours are at most as saturated as the photograph: a grey one stays grey."""

    def chroma(x: Tensor) -> Tensor:
        return x - x.mean(1, keepdim=True)

    def saturation(x: Tensor) -> Tensor:
        return chroma(x).abs().mean((1, 2, 3), keepdim=True)

    gain = (saturation(original) / saturation(before).clamp_min(1e-6)).clamp(max=1.0)
    return before + (gain - 1.0) * chroma(before), after + (gain - 1.0) * chroma(after)


def _agreement(original: Tensor, before: Tensor, unit: float) -> Tensor:
    """In [0, 1], ``(N, 1, S, S)``: 0 where the decode shows something else than the photograph.

    Beside a face that is turned, for example, where the decode has a cheek.
    """
    difference = original - before
    light = coarse_blur(difference, sigma(24, unit))
    local = coarse_blur(difference - light, sigma(5, unit)).abs().amax(1, keepdim=True)
    return 1.0 - smoothstep(gaussian_blur(local, sigma(2, unit)), 0.05, 0.15)


def _region(change: Tensor, faint: float, clear: float) -> Tensor:
    """Where pixels change, ``(N, 1, S, S)``, without islands apart from the strong changes.

    Thresholding with hysteresis: Canny, "A Computational Approach to Edge Detection", 1986.

    Args:
        change: ``(N, 1, S, S)``, blurred.
        faint: least change that may belong to it, as a fraction of the strongest.
        clear: change of a pixel that always may.
    """
    strongest = change.amax((2, 3), keepdim=True)
    low = (faint * strongest).clamp(VISIBLE / 2, clear)
    high = (CORE * strongest).clamp_min(VISIBLE)
    coarse = coarse_maximum(change, COARSE)
    connected = reconstruct((coarse > high).float(), (coarse > low).float())
    return enlarged(connected, COARSE, change) * (change > low)


def _replaced_fraction(
    before: Tensor, after: Tensor, region: Tensor, removal: float, unit: float
) -> Tensor:
    """In [0, 1], ``(N, 1, S, S)``: 0 where edges appear, 1 where edges vanish.

    A place with few edges follows the rest of the region.
    """
    edges = gradient(after, sigma(1, unit)) - gradient(before, sigma(1, unit))
    local = []
    for part in (-edges, edges):
        energy = part.clamp_min(0.0) ** EDGE_POWER * region
        mean = energy.sum((2, 3), keepdim=True) / region.sum((2, 3), keepdim=True).clamp_min(1.0)
        local.append(coarse_blur(energy, sigma(16, unit)) + mean)
    vanishing, appearing = local
    share = vanishing / (vanishing + appearing).clamp_min(1e-20)
    balance = BALANCE[0] + removal * (BALANCE[1] - BALANCE[0])
    return smoothstep(share, balance - SOFTNESS, balance + SOFTNESS)


def _with_leftovers(removed: Tensor, original: Tensor, matched: Tensor, unit: float) -> Tensor:
    """The region, grown into the photograph's own frame, shadow or strand where they touch it."""
    difference = gaussian_blur((original - matched).abs().amax(1, keepdim=True), sigma(1, unit))
    near = dilate(removed, radius(12, unit))
    grown = reconstruct(removed, torch.maximum((difference > LEFTOVER) * near, removed))
    opened = dilate(-dilate(-grown, radius(2, unit)), radius(2, unit))  # no thin strands
    return torch.maximum(opened, removed)


def _feathered(region: Tensor, unit: float) -> Tensor:
    """A soft mask in [0, 1], which is exactly 0 a few pixels outside the region."""
    soft = gaussian_blur(dilate(region, radius(2, unit)), sigma(2.5, unit))
    return smoothstep(soft, 0.05, 1.0)

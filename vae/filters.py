"""Filters of single images: blur, morphology, and interpolation from what is known.

Images and masks are float32 ``(N, C, H, W)``; masks have one channel and the values 0 and 1. Radii
and standard deviations are in pixels.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """Convolution with a Gaussian, cut at three standard deviations; edges are repeated."""
    radius = max(1, round(3.0 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    weights = torch.softmax(-offsets.square() / (2.0 * sigma**2), dim=0)
    channels = x.shape[1]
    x = F.pad(x, (radius,) * 4, mode="replicate")
    for shape in ((1, 1, 1, -1), (1, 1, -1, 1)):
        kernel = weights.reshape(shape).expand(channels, 1, *(-1, -1))
        x = F.conv2d(x, kernel, groups=channels)
    return x


def coarse_blur(x: Tensor, sigma: float, factor: int = 4) -> Tensor:
    """About ``gaussian_blur``, computed on blocks of ``factor`` x ``factor`` pixels: much faster.

    Args:
        x: ``(N, C, H, W)``.
        sigma: with less than ``factor`` pixels, nothing is gained and it is exact.
        factor: pixels a side of the blocks.
    """
    if sigma < factor:
        return gaussian_blur(x, sigma)
    blocks = gaussian_blur(_averaged(x, factor), sigma / factor)
    pixels = F.interpolate(blocks, scale_factor=factor, mode="bilinear", align_corners=False)
    return pixels[..., : x.shape[-2], : x.shape[-1]]


def dilate(x: Tensor, radius: int) -> Tensor:
    """The largest value within a square of ``2 * radius + 1`` pixels a side."""
    side = 2 * radius + 1
    rows = F.max_pool2d(x, (side, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(rows, (1, side), stride=1, padding=(0, radius))


def close(mask: Tensor, radius: int) -> Tensor:
    """A mask without the gaps that are narrower than ``2 * radius`` pixels."""
    padded = F.pad(mask, (radius,) * 4)
    return -dilate(-dilate(padded, radius), radius)[..., radius:-radius, radius:-radius]


def reconstruct(marker: Tensor, mask: Tensor) -> Tensor:
    """The connected parts of ``mask`` that touch ``marker``; diagonal pixels are connected.

    Morphological reconstruction by dilation: Vincent, "Morphological Grayscale Reconstruction in
    Image Analysis", 1993, definition 2.1, iterated until nothing changes.
    """
    marker = torch.minimum(marker, mask)
    while True:
        grown = torch.minimum(dilate(marker, 1), mask)
        if torch.equal(grown, marker):
            return marker
        marker = grown


def fill_holes(mask: Tensor) -> Tensor:
    """A mask with everything that it surrounds."""
    border = torch.ones_like(mask)
    border[..., 1:-1, 1:-1] = 0.0
    return 1.0 - reconstruct(border, 1.0 - mask)


def interpolate(x: Tensor, known: Tensor, scale: float) -> Tensor:
    """Values everywhere, as weighted means of the known ones; the nearer, the more weight.

    Normalised convolution (Knutsson and Westin, "Normalized and Differential Convolution", 1993)
    with a sum of five Gaussians, each of twice the standard deviation of the one before and a
    quarter of its weight: the kernel falls about as the fourth power of the distance.

    Args:
        x: ``(N, C, H, W)``.
        known: ``(N, 1, H, W)``, 1 where ``x`` counts.
        scale: standard deviation of the narrowest Gaussian.
    """
    weighted, weights = torch.zeros_like(x), torch.zeros_like(known)
    for octave in range(5):
        factor = 2**octave
        values, counts = (
            _upsampled(gaussian_blur(_averaged(t, factor), scale), x.shape[-2:])
            for t in (x * known, known)
        )
        weighted, weights = weighted + values / factor**2, weights + counts / factor**2
    return weighted / weights.clamp_min(1e-6)


def gradient(x: Tensor, sigma: float) -> Tensor:
    """Length of the gradient of the brightness, ``(N, 1, H, W)``, after a blur."""
    brightness = gaussian_blur(x.mean(1, keepdim=True), sigma)
    right = F.pad(brightness.diff(dim=3), (0, 1, 0, 0))
    down = F.pad(brightness.diff(dim=2), (0, 0, 0, 1))
    return (right.square() + down.square()).sqrt()


def smoothstep(x: Tensor, low: float, high: float) -> Tensor:
    """0 up to ``low``, 1 from ``high``, and a cubic with zero slope at both ends between them."""
    t = ((x - low) / (high - low)).clamp(0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def coarse_maximum(x: Tensor, factor: int) -> Tensor:
    """The largest value of each block of ``factor`` x ``factor`` pixels."""
    return F.max_pool2d(x, factor, ceil_mode=True)


def enlarged(mask: Tensor, factor: int, like: Tensor) -> Tensor:
    """Blocks as pixels again, at the height and width of ``like``."""
    full = mask.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    return full[..., : like.shape[-2], : like.shape[-1]]


def _averaged(x: Tensor, factor: int) -> Tensor:
    return F.avg_pool2d(x, factor, ceil_mode=True) if factor > 1 else x


def _upsampled(x: Tensor, size: torch.Size) -> Tensor:
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, list(size), mode="bilinear", align_corners=False)

"""How much fine structure images have."""

from torch import Tensor

SIGMA = 2.0  # pixels, of 256 a side


def high_pass_energy(x: Tensor) -> Tensor:
    """Mean square of what a Gaussian blur takes away, ``(N,)``, of images ``(N, C, S, S)``."""
    from torchvision.transforms.v2.functional import gaussian_blur  # takes seconds

    sigma = SIGMA * x.shape[-1] / 256
    size = 2 * round(3 * sigma) + 1
    found: Tensor = (x - gaussian_blur(x, [size, size], [sigma, sigma])).square().flatten(1).mean(1)
    return found


def high_pass_share(made: Tensor, originals: Tensor) -> float:
    """The mean high-pass energy of images as a share of their originals'."""
    return float(
        high_pass_energy(made).mean() / high_pass_energy(originals).mean().clamp_min(1e-12)
    )

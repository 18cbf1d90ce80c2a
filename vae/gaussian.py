"""The diagonal Gaussian that an encoder returns."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DiagonalGaussian:
    """N(mean, diag(exp(logvar))), one distribution a row.

    Attributes:
        mean: float ``(N, D)``.
        logvar: float ``(N, D)``, the natural logarithm of the variance (twice that of the scale).
    """

    mean: Tensor
    logvar: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw one ``z`` a row by the reparameterisation trick, ``mean + sigma * eps``.

        Kingma & Welling, "Auto-Encoding Variational Bayes", 2014, section 2.4.
        """
        noise = torch.randn(
            self.mean.shape,
            generator=generator,
            device=generator.device if generator is not None else self.mean.device,
            dtype=self.mean.dtype,
        )
        return self.mean + (0.5 * self.logvar).exp() * noise.to(self.mean.device)

    def kl_per_dimension(self) -> Tensor:
        """KL(self || N(0, 1)) of each coordinate, in nats, ``(N, D)``.

        ``0.5 * (sigma^2 + mu^2 - 1 - log sigma^2)``: Kingma & Welling 2014, appendix B. Zero where
        ``mu = 0`` and ``sigma = 1``, positive elsewhere.
        """
        return 0.5 * (self.logvar.exp() + self.mean.square() - 1.0 - self.logvar)

    def kl(self) -> Tensor:
        """KL(self || N(0, I)) in nats, ``(N,)``."""
        return self.kl_per_dimension().sum(dim=1)

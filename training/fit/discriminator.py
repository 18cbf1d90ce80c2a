"""The adversarial objective: a conditional patch discriminator and the losses of both networks.

The generator sees a latent; the discriminator sees an image beside the least-squares image of the
same latent. So the distribution that is matched is that of the originals given the latent, which is
what a decoder of perfect perceptual quality draws (Blau and Michaeli, "The Perception-Distortion
Tradeoff", 2018; Freirich et al., "A Theory of the Distortion-Perception Tradeoff in Wasserstein
Space", 2021, arXiv:2107.02555).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

LEAK = 0.2  # slope of the activation below zero, as in Isola et al.


class PatchDiscriminator(nn.Module):
    """One logit for each patch of 54 x 54 pixels, 8 pixels apart.

    The patch discriminator of Isola et al., "Image-to-Image Translation with Conditional
    Adversarial Networks", 2017, section 3.2, conditioned by concatenation. Every convolution after
    the first has spectral normalisation (Miyato et al., "Spectral Normalization for Generative
    Adversarial Networks", 2018) in place of batch normalisation.

    Args:
        channels: of an image.
        width: channels of the first convolution; the others have two, three and four times as many.
    """

    def __init__(self, channels: int = 3, width: int = 48) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(2 * channels, width, 4, stride=2, padding=1),
                spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(2 * width, 3 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(3 * width, 4 * width, 3, padding=1)),
            ]
        )
        self.head = spectral_norm(nn.Conv2d(4 * width, 1, 3, padding=1))

    def forward(self, images: Tensor, condition: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits ``(N, 1, S / 8, S / 8)``, and the features of every layer.

        Args:
            images: to be judged, ``(N, C, S, S)`` around [0, 1].
            condition: their least-squares images, of the same shape.
        """
        x = 2.0 * torch.cat([images, condition], dim=1) - 1.0
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), LEAK)
            features.append(x)
        return self.head(x), features

    @torch.no_grad()
    def update_spectral_norms(self) -> None:
        """One step of the power iteration, which in eval mode no pass makes."""
        training = self.training
        self.train()
        for layer in (*self.layers, self.head):
            _ = layer.weight  # computing it is the step
        self.train(training)


def discriminator_hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """``E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]``: Lim and Ye, "Geometric GAN", 2017."""
    return F.relu(1.0 - real.float()).mean() + F.relu(1.0 + fake.float()).mean()


def generator_hinge_loss(fake: Tensor) -> Tensor:
    """``-E[D(G(z))]``: Lim and Ye, "Geometric GAN", 2017."""
    return -fake.float().mean()


def feature_matching_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of the discriminator's features, mean over its layers.

    Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs",
    2018 (pix2pixHD), equation 4. No gradient reaches the real ones.
    """
    differences = [
        (f - r.detach()).abs().mean(dtype=torch.float32) for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(differences).mean()


def low_frequency_loss(images: Tensor, targets: Tensor, factor: int = 8) -> Tensor:
    """Mean squared error of averages over ``factor`` x ``factor`` pixels: colours and shading stay.

    Args:
        images: ``(N, C, S, S)``.
        targets: of the same shape.
        factor: pixels a side of an average.
    """
    return F.mse_loss(F.avg_pool2d(images, factor), F.avg_pool2d(targets, factor))

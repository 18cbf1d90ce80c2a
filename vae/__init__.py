"""The mathematics of Lorgnette: variational autoencoders and their latent space."""

__version__ = "0.1.0"

"""The mathematics of Lorgnette: variational autoencoders and their latent space."""

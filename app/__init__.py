"""The service: a trained latent space over HTTP."""

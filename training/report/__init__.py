"""Checkpoint, figures, images and model card of a trained model."""

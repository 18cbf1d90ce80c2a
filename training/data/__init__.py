"""Image data sets: sources, decoding, labels, augmentation, drawn avatars."""

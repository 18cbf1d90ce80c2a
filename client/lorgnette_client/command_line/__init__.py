"""The command ``lorgnette``: samples, edits, morphs, faces and latents without a line of code."""

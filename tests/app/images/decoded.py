"""Files decoded to small squares."""

from app.images.decoding import read
from tests.app.conftest import Pixels
from vae.preprocessing import Fit

SIDE = 16


def decode(data: bytes, channels: int = 3, fit: Fit = "crop") -> Pixels:
    return read(data, SIDE, channels, fit, 10**6).pixels

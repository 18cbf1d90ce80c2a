"""The weights in a file of dlib's, in the order of the network, without dlib."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

TENSOR_VERSION = 2
LENGTH_BITS = 0x7F  # of the first byte of an integer; the highest bit is its sign


def tensors(data: bytes, layer: bytes) -> Iterator[Tensor]:
    """The parameters of the layers of one kind, each ``(N,)`` in float32, from input to output.

    A layer writes its name and version, such as ``con_4``, then its parameters: the version of the
    format, four sides and as many float32 values in little-endian order. An integer is one byte,
    which says how many follow, and these.

    Args:
        data: of the file.
        layer: the name and version of the layers.

    Raises:
        ValueError: if the parameters of a layer are written in another version.
    """
    position = data.find(layer)
    while position >= 0:
        version, position = _integer(data, position + len(layer))
        if version != TENSOR_VERSION:
            raise ValueError(f"a tensor has version {version}; it must be {TENSOR_VERSION}")
        count = 1
        for _ in range(4):
            side, position = _integer(data, position)
            count *= side
        values = np.frombuffer(data, "<f4", count, position)
        yield torch.from_numpy(values.copy())
        position = data.find(layer, position + values.nbytes)


def _integer(data: bytes, position: int) -> tuple[int, int]:
    """A positive integer, and the position behind it."""
    start, length = position + 1, data[position] & LENGTH_BITS
    return int.from_bytes(data[start : start + length], "little"), start + length

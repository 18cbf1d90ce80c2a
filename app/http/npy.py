"""Latents as a NumPy array file, checked before anything is allocated."""

import io
import math

import numpy as np
import numpy.typing as npt

from app.http.body import InvalidError, TooLargeError, UnreadableBodyError

MAX_DIMENSION = 2**63


def from_npy(body: bytes, dim: int, max_rows: int) -> npt.NDArray[np.float64]:
    """The array ``(N, dim)`` of an ``.npy`` file of float16, float32 or float64.

    Raises:
        UnreadableBodyError: if it is no such file.
        InvalidError: if its shape or type does not fit.
        TooLargeError: if N is more than ``max_rows``.
    """
    stream = io.BytesIO(body)
    try:
        shape, fortran_order, dtype = _read_header(stream)
    except Exception as error:  # numpy's reader raises errors of any type on hostile bytes
        raise UnreadableBodyError(f"the body is not an .npy file: {error}") from None
    if dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise InvalidError([("#/latents", f"dtype is {dtype}; send float16, float32 or float64")])
    if len(shape) != 2 or shape[1] != dim:
        raise InvalidError([("#/latents", f"shape is {shape}; this model takes (N, {dim})")])
    data = body[stream.tell() :]
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise UnreadableBodyError(
            f"the .npy header declares shape {shape}, but {len(data)} bytes of data follow"
        )
    if shape[0] > max_rows:
        raise TooLargeError(f"{shape[0]} latents; one request may have {max_rows}")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")
    return array.astype(np.float64)


def _read_header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"version {version} is not supported")
    if any(abs(n) > MAX_DIMENSION for n in shape):  # Python would not even print such a number
        raise ValueError("a dimension of its shape is too large")
    if any(isinstance(n, bool) for n in shape):  # which numpy's reader takes for numbers
        raise ValueError("its shape is not of numbers")
    return shape, fortran_order, dtype

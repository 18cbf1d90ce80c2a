"""Safetensors files: written atomically, and read as a whole with their hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from vae.atomic_file import atomic_write

PICKLE_MAGIC = (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # first two bytes


class TensorFileError(Exception):
    """A file that cannot be read as safetensors; the message says why, without the path."""


@dataclass(frozen=True)
class TensorFile:
    """What a safetensors file holds.

    Attributes:
        tensors: by name, on the CPU.
        metadata: text by name; empty if the file has none.
        sha256: hexadecimal hash of the file.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    sha256: str


def read(path: Path) -> TensorFile:
    """Read all of a file into memory, once: what later happens to the file changes nothing.

    Raises:
        TensorFileError: if it is missing, truncated or not a safetensors file.
    """
    try:
        data = path.read_bytes()
        tensors = load(data)
        header = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + header]).get("__metadata__", {})
    except SafetensorError as error:
        if data[:2] in PICKLE_MAGIC:
            raise TensorFileError(
                "this is a pickle (torch.save); only safetensors files are loaded, "
                "since a pickle can run code"
            ) from None
        raise TensorFileError(f"truncated, or not a safetensors file ({error})") from None
    except (OSError, ValueError) as error:
        raise TensorFileError(f"cannot be read ({error})") from None
    return TensorFile(tensors, metadata, hashlib.sha256(data).hexdigest())


def finite(
    tensors: Mapping[str, Tensor],
    name: str,
    shape: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The tensor of this name, converted to ``dtype``.

    Raises:
        TensorFileError: if it is missing, has another shape, is not of floats where they are
            expected or the other way round, or is not finite.
    """
    if name not in tensors:
        raise TensorFileError(f"{name} is missing")
    tensor = tensors[name]
    if tuple(tensor.shape) != shape:
        raise TensorFileError(f"{name} is {tuple(tensor.shape)}, its config says {shape}")
    if tensor.is_floating_point() != dtype.is_floating_point:
        raise TensorFileError(f"{name} is {tensor.dtype}, its config says {dtype}")
    tensor = tensor.to(dtype)
    if not tensor.isfinite().all():
        raise TensorFileError(f"{name} holds NaN or infinity")
    return tensor


def write_atomically(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a file next to ``path``, flush it to the disk, and rename it to ``path``.

    Raises:
        OSError: if it cannot be written; ``path`` is then as it was.
    """
    with atomic_write(path) as file:
        file.write(save(tensors, metadata))

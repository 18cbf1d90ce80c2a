"""Images of one split in memory-mapped storage, with their labels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

Labels = dict[str, npt.NDArray[np.float32]]
Index = Sequence[int] | npt.NDArray[np.int64]


class DataError(Exception):
    """Training data that cannot be used; the message says what is wrong and what would be right."""


@dataclass(frozen=True)
class Dataset:
    """Images of one split with their labels.

    Attributes:
        images: uint8 ``(N, S, S, C)``, memory-mapped, of both splits.
        rows: which rows of ``images`` belong to this split, int64 ``(M,)``.
        labels: one float32 ``(M,)`` a label, NaN where unknown.
        tags: columns of the manifest that hold words, one list of M a column.
        exclusive: whether exactly one label is 1 in every row (classes).
        name: of the data.
        sha256: of the pixels of all images, both splits.
    """

    images: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int64]
    labels: Labels
    tags: dict[str, list[str]]
    exclusive: bool
    name: str
    sha256: str

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: Index) -> torch.Tensor:
        """Images of this split by index, uint8 ``(B, S, S, C)``."""
        return torch.from_numpy(self.images[self.rows[np.asarray(index)]])

    def rows_at(self, index: Index) -> "Dataset":
        """The images at these indices, in this order."""
        chosen = np.asarray(index, dtype=np.int64)
        return replace(
            self,
            rows=self.rows[chosen],
            labels={k: v[chosen] for k, v in self.labels.items()},
            tags={k: [v[i] for i in chosen] for k, v in self.tags.items()},
        )

    def evenly_spaced(self, count: int) -> "Dataset":
        """At most ``count`` images, evenly spaced over the split.

        A class folder lists its images class by class: the first ones would be of one class.
        """
        count = min(count, len(self))
        return self.rows_at(np.arange(count) * len(self) // max(1, count))

    def fingerprint(self) -> dict[str, str]:
        """Hashes of what a training run depends on: ``images``, ``split`` and ``labels``."""
        columns = hashlib.sha256()
        for name, values in self.labels.items():
            columns.update(name.encode() + b"\0" + values.tobytes())
        for name, words in self.tags.items():
            columns.update("\0".join([name, *words]).encode())
        return {
            "images": self.sha256,
            "split": hashlib.sha256(self.rows.tobytes()).hexdigest(),
            "labels": columns.hexdigest(),
        }

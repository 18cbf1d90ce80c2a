"""What each step of a run sees: its images and its seeds, from the recipe's seed alone.

Nothing random is kept between steps. The order of an epoch is drawn from (seed, epoch), the noise
and the augmentation of a step from (seed, step), so a resumed run ends where an uninterrupted one
does.
"""

import hashlib

import numpy as np
import numpy.typing as npt

from training.data.dataset import Dataset
from training.fit.errors import TrainingError


def derived_seed(seed: int, purpose: str, index: int) -> int:
    """A seed of 56 bits for one purpose (``noise``, ``order``, ...) of one step or epoch."""
    text = f"{seed} {purpose} {index}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


class BatchOrder:
    """The order of the images: one permutation an epoch.

    Args:
        count: images of the train split.
        batch_size: images a step; what is left at the end of an epoch is left out.
        seed: of the order.
        positives: indices of images, int64 ``(P,)``; every ``stride``-th image of an epoch is drawn
            from them, at random. None for a plain permutation.
        stride: see ``positives``.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        seed: int,
        positives: npt.NDArray[np.int64] | None = None,
        stride: int = 2,
    ) -> None:
        self.steps_per_epoch = max(1, count // batch_size)
        self._count, self._batch_size, self._seed = count, batch_size, seed
        self._positives, self._stride = positives, stride
        self._epoch: int | None = None
        self._order: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def indices(self, step: int) -> npt.NDArray[np.int64]:
        """The images of a step, int64 ``(B,)``."""
        epoch, index = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._permutation(epoch)
        return self._order[index * self._batch_size : (index + 1) * self._batch_size]

    def _permutation(self, epoch: int) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng(derived_seed(self._seed, "order", epoch))
        order = rng.permutation(self._count)
        if self._positives is not None:
            chosen = order[:: self._stride]
            chosen[:] = rng.choice(self._positives, len(chosen))
        return order


def rows_with(data: Dataset, label: str) -> npt.NDArray[np.int64]:
    """Indices of the images that have a label for certain.

    Raises:
        TrainingError: if there are none.
    """
    rows = np.flatnonzero(data.labels.get(label, np.zeros(0)) > 0.5)
    if not len(rows):
        raise TrainingError(f"no train image has label {label!r}, which the recipe balances")
    return rows

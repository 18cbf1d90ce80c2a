"""Edits of drawn portraits, whose correct result is known: mean PSNR to it.

Every identity of the test split is there without glasses and in two frames, so that the correct
result of an edit is an image of the data.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training import progress
from training.analysis.encoding import BATCH, device_of, encoded_means
from training.data.dataset import Dataset
from training.evaluate.reconstruction import psnr
from vae.checkpoint import Checkpoint
from vae.directions import apply_directions
from vae.model import VAE
from vae.pixels import to_float
from vae.preserve import preserve_edit

TAGS = {"identity", "frame", "frame_color"}
DONORS = 3
EDITS = (
    "put on (donors)",
    "take off (donors)",
    "take off (directions)",
    "another frame (donors)",
)


@dataclass(frozen=True)
class Edit:
    """One edit: ``step``, ``(D,)``, added to the latent of a row should give the target row."""

    source: int
    target: int
    step: Tensor


def has_counterfactuals(data: Dataset) -> bool:
    """Whether the data says which images show one identity in which frame."""
    return data.tags.keys() >= TAGS


@torch.inference_mode()
def counterfactual_edits(checkpoint: Checkpoint, data: Dataset) -> dict[str, dict[str, float]]:
    """The scores of each kind of edit, mean PSNR in dB to the correct result.

    Donors are up to three other identities, each seen with and without the frame in question.

    Returns:
        for each kind of edit with at least one case: ``edit``, the decode of the edited latent;
        ``no_edit``, that of the unedited latent; ``reconstruction_bound``, the reconstruction of
        the correct result; ``preserved_edit``, the original with ``preserve`` 1;
        ``preserved_no_edit``, the original; and ``closer_to_target``, the fraction of edits that
        are closer to the correct result than to the original image.
    """
    means = encoded_means(checkpoint.model, data)
    edits = _Edits(checkpoint, data, means).by_kind()
    return {
        kind: _scores(checkpoint.model, data, means, cases)
        for kind, cases in edits.items()
        if cases
    }


class _Edits:
    """Builds the edits of a data set from its encoded means ``(N, D)``."""

    def __init__(self, checkpoint: Checkpoint, data: Dataset, means: Tensor) -> None:
        self._checkpoint, self._data, self._means = checkpoint, data, means
        self._identity, self._frame = data.tags["identity"], data.tags["frame"]
        rows = range(len(data))
        self._bare = {self._identity[row]: row for row in rows if not self._frame[row]}
        self._wearers: dict[tuple[str, str], list[int]] = {}
        for row in rows:
            if self._frame[row] and self._identity[row] in self._bare:
                self._wearers.setdefault(self._key(row), []).append(row)

    def by_kind(self) -> dict[str, list[Edit]]:
        """All edits by their kind, one of ``EDITS``."""
        edits: dict[str, list[Edit]] = {kind: [] for kind in EDITS}
        put_on, take_off, by_direction, another = edits.values()
        first_frame: dict[str, tuple[int, Tensor]] = {}  # of each identity, and the step to it
        for row, identity in enumerate(self._identity):
            step = self._donor_step(row)
            if step is None:
                continue
            bare = self._bare[identity]
            put_on.append(Edit(bare, row, step))
            take_off.append(Edit(row, bare, -step))
            by_direction.append(Edit(row, bare, self._direction_step(row, bare)))
            if identity in first_frame:
                first, first_step = first_frame[identity]
                another.append(Edit(first, row, step - first_step))
            first_frame[identity] = (row, step)
        return edits

    def _key(self, row: int) -> tuple[str, str]:
        return self._frame[row], self._data.tags["frame_color"][row]

    def _donor_step(self, row: int) -> Tensor | None:
        """Mean step from no glasses to this row's frame, over other identities who wear it."""
        identity = self._identity[row]
        if not self._frame[row] or identity not in self._bare:
            return None
        donors = [r for r in self._wearers[self._key(row)] if self._identity[r] != identity]
        if not donors:
            return None
        steps = [self._means[r] - self._means[self._bare[self._identity[r]]] for r in donors]
        return torch.stack(steps[:DONORS]).mean(0)

    def _direction_step(self, source: int, target: int) -> Tensor:
        """The step by the directions of the labels in which two rows differ."""
        labels = self._data.labels
        terms = [
            (float(labels[name][target] - labels[name][source]), direction)
            for name, direction in self._checkpoint.directions.items()
            if name in labels
        ]
        return apply_directions(self._means[source], terms) - self._means[source]


def _scores(model: VAE, data: Dataset, means: Tensor, edits: Sequence[Edit]) -> dict[str, float]:
    """The means over the edits of what ``counterfactual_edits`` returns."""
    parts = (edits[start : start + BATCH] for start in range(0, len(edits), BATCH))
    batches = [
        _batch_scores(model, data, means, part) for part in progress.counted(parts, len(edits))
    ]
    return {name: float(torch.cat([b[name] for b in batches]).mean()) for name in batches[0]}


def _batch_scores(
    model: VAE, data: Dataset, means: Tensor, edits: Sequence[Edit]
) -> dict[str, Tensor]:
    device = device_of(model)
    sources, targets = [e.source for e in edits], [e.target for e in edits]
    original, target = (to_float(data.batch(rows).to(device)) for rows in (sources, targets))
    z = means[sources]
    plain, edited, bound = (
        model.decode(latents.to(device))
        for latents in (z, z + torch.stack([e.step for e in edits]), means[targets])
    )
    preserved = preserve_edit(original, plain, edited).apply(original)
    return {
        "edit": psnr(edited, target).cpu(),
        "no_edit": psnr(plain, target).cpu(),
        "reconstruction_bound": psnr(bound, target).cpu(),
        "preserved_edit": psnr(preserved, target).cpu(),
        "preserved_no_edit": psnr(original, target).cpu(),
        "closer_to_target": (psnr(edited, target) > psnr(edited, original)).float().cpu(),
    }

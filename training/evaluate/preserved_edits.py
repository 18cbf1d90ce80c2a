"""Photographs whose glasses are put on or taken off, and whose other pixels are kept."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training import progress
from training.analysis.encoding import BATCH, batches, device_of
from training.data.dataset import Dataset
from training.evaluate.kernel_distance import eyes
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint
from vae.directions import apply_directions
from vae.filters import gradient
from vae.preserve import preserve_edit

LABEL = "glasses"
WEIGHTS = (1.0, 1.5)
EDGE_SIGMA = 1.0  # pixels
NOISE_FLOOR = 1e-6  # mean square; keeps a ratio in decibels finite


def applies(checkpoint: Checkpoint, test: Dataset, classifier: AttributeClassifier) -> bool:
    """Whether there is a direction ``glasses``, test images of both kinds, and who judges them."""
    labels = test.labels.get(LABEL)
    if labels is None or LABEL not in checkpoint.directions:
        return False
    known = {"glasses", "male"} <= set(classifier.labels) & set(test.labels)
    return known and {0.0, 1.0} <= set(labels.tolist())


@torch.inference_mode()
def preserved_edits(
    checkpoint: Checkpoint, test: Dataset, classifier: AttributeClassifier
) -> dict[str, dict[str, float]]:
    """Figures of edited photographs, ``preserve=1``.

    Args:
        checkpoint: ``applies`` to it, the data and the classifier.
        test: aligned faces labelled ``glasses``.
        classifier: of ``glasses`` and ``male``; no loss or edit may have used it.

    Returns:
        by weight: ``put_on``, the fraction of bare faces that are predicted to have glasses with
        ``photograph + weight * glasses``; ``taken_off``, the fraction of faces with glasses that
        are predicted to have none with ``photograph - weight * glasses``; ``sex_changed_on`` and
        ``sex_changed_off``, the fractions that are predicted to be of another sex than the
        photograph; ``untouched``, the mean fraction of pixels that are equal to the photograph's
        to the last bit; ``changed_outside``, the largest change outside a mask, which is 0;
        ``restored_inside_db`` and ``restored_outside_db``, PSNR to the bare photograph, inside and
        outside the masks, after glasses were put on and taken off again; ``edges_left``, the mean
        gradient around the eyes where glasses were taken off, over that of bare photographs.
    """
    editor = _Editor(checkpoint, classifier)
    bare, worn = (
        _faces(test.rows_at(np.flatnonzero(test.labels[LABEL] == value)), editor.device)
        for value in (0, 1)
    )
    return {str(weight): _figures(editor, bare, worn, weight) for weight in WEIGHTS}


def _figures(editor: "_Editor", bare: "_Faces", worn: "_Faces", weight: float) -> dict[str, float]:
    on, off = editor.edited(bare.images, weight), editor.edited(worn.images, -weight)
    back = editor.edited(on.images, -weight)
    touched = torch.maximum(on.mask, back.mask).expand_as(bare.images) > 0
    equal = [(x.images == y.images).all(1).flatten() for x, y in ((bare, on), (worn, off))]
    return {
        "put_on": editor.share(LABEL, on.images),
        "taken_off": 1.0 - editor.share(LABEL, off.images),
        "sex_changed_on": editor.sex_changed(bare.images, on.images),
        "sex_changed_off": editor.sex_changed(worn.images, off.images),
        "sex_errors_on": editor.sex_errors(bare, on.images),
        "sex_errors_off": editor.sex_errors(worn, off.images),
        "untouched": float(torch.cat(equal).float().mean()),
        "changed_outside": max(_outside(bare.images, on), _outside(worn.images, off)),
        "restored_inside_db": _psnr(back.images[touched], bare.images[touched]),
        "restored_outside_db": _psnr(back.images[~touched], bare.images[~touched]),
        "edges_left": _edges(off.images) / _edges(bare.images),
    }


@dataclass(frozen=True)
class _Faces:
    images: Tensor
    male: Tensor


def _faces(rows: Dataset, device: torch.device) -> _Faces:
    images = torch.cat([x.cpu() for x in batches(rows, device)])
    return _Faces(images, torch.as_tensor(rows.labels["male"]) > 0.5)


@dataclass(frozen=True)
class _Edited:
    images: Tensor
    mask: Tensor


class _Editor:
    """Edits photographs ``(N, 3, S, S)`` on the CPU, batch by batch, and judges them."""

    def __init__(self, checkpoint: Checkpoint, classifier: AttributeClassifier) -> None:
        self.model, self.classifier = checkpoint.model, classifier
        self.direction = checkpoint.directions[LABEL]
        self.device = device_of(checkpoint.model)

    def edited(self, photographs: Tensor, weight: float) -> _Edited:
        """The photographs with ``weight`` times the direction."""
        parts = progress.counted(torch.split(photographs, BATCH), len(photographs))
        made = [self._edited(x, weight) for x in parts]
        return _Edited(torch.cat([m.images for m in made]), torch.cat([m.mask for m in made]))

    def share(self, label: str, images: Tensor) -> float:
        """The fraction that is predicted to have a label."""
        return float(self._predicted(label, images).float().mean())

    def sex_changed(self, before: Tensor, after: Tensor) -> float:
        """The fraction that is predicted to be of another sex after an edit."""
        changed = self._predicted("male", before) != self._predicted("male", after)
        return float(changed.float().mean())

    def sex_errors(self, before: _Faces, after: Tensor) -> float:
        """The fraction that is predicted wrongly after an edit, less that before."""
        wrong = [self._predicted("male", x) != before.male for x in (after, before.images)]
        return float(wrong[0].float().mean() - wrong[1].float().mean())

    def _edited(self, photographs: Tensor, weight: float) -> _Edited:
        x = photographs.to(self.device)
        z = self.model.encode(x).mean
        before = self.model.decode(z)
        after = self.model.decode(apply_directions(z, [(weight, self.direction)]))
        edit = preserve_edit(x, before, after, removal=0.0 if weight > 0 else 1.0)
        return _Edited(edit.apply(x).cpu(), edit.mask.cpu())

    def _predicted(self, label: str, images: Tensor) -> Tensor:
        device = next(self.classifier.parameters()).device
        parts = (part.to(device) for part in torch.split(images, BATCH))
        return torch.cat([self.classifier.probability(label, x).cpu() for x in parts]) > 0.5


def _outside(before: Tensor, after: _Edited) -> float:
    """The largest change of a pixel outside the mask."""
    return float(((after.images - before).abs() * (after.mask == 0)).max())


def _psnr(x: Tensor, y: Tensor) -> float:
    """In decibels, at most 60."""
    return float(-10.0 * (x - y).square().mean().clamp_min(NOISE_FLOOR).log10())


def _edges(images: Tensor) -> float:
    return float(
        torch.cat([gradient(eyes(x), EDGE_SIGMA) for x in torch.split(images, BATCH)]).mean()
    )

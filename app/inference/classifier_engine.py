"""The classifier beside a checkpoint, on an inference thread."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from app.inference.batcher import Batcher
from app.inference.engine import Pixels, run_on_device
from vae import attribute_classifier
from vae.attribute_classifier import AttributeClassifier
from vae.pixels import to_float

OPERATION = "classify"  # in metrics and spans
WARM_UP_IMAGES = 5


@dataclass(frozen=True)
class LoadedClassifier:
    """The auxiliary classifier of a model.

    Attributes:
        classifier: its labels, hash and accuracy.
        predictor: images of one request, uint8 ``(N, S, S, C)``, to logits ``(N, labels)``.
    """

    classifier: AttributeClassifier
    predictor: Batcher[Pixels, Tensor]


class ClassifierEngine:
    """A classifier on a device: the images of each request in, their logits out.

    The images of a request are a batch of their own, so that its logits do not depend on other
    requests.

    Args:
        classifier: of RGB images.
        device: where it runs.
    """

    def __init__(self, classifier: AttributeClassifier, device: torch.device) -> None:
        self.classifier = classifier.requires_grad_(False).to(device)
        self._device = device

    @torch.inference_mode()
    def predict_many(self, requests: list[Pixels]) -> list[Tensor]:
        """Logits ``(N, labels)`` on the CPU of the images of each request.

        Args:
            requests: uint8 ``(N, S, S, C)``; C may be 1, for grey.

        Raises:
            OutOfMemoryError: if there is not enough memory for the images of one request.
            DeviceLostError: if the device fails every call.
        """
        return run_on_device(self._predict, requests, self._device, step=1)

    def warm_up(self, size: int) -> None:
        """Predict of images of ``size`` pixels a side."""
        self.predict_many([np.zeros((WARM_UP_IMAGES, size, size, 3), np.uint8)])

    def _predict(self, requests: Sequence[Pixels]) -> list[Tensor]:
        return [self._logits(torch.from_numpy(images)) for images in requests]

    def _logits(self, images: Tensor) -> Tensor:
        x = to_float(images.to(self._device)).expand(-1, 3, -1, -1)
        logits: Tensor = self.classifier(x).cpu()
        return logits


def load(folder: Path, device: torch.device) -> ClassifierEngine | None:
    """The classifier in the folder of a checkpoint, None if there is none.

    Raises:
        CheckpointError: if the file is not such a classifier.
    """
    file = folder / attribute_classifier.FILE
    if not file.exists():
        return None
    return ClassifierEngine(attribute_classifier.load(file), device)

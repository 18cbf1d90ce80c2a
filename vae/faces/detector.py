"""Finds faces and their landmarks in a photograph, by the cascade of ``vae.faces.networks``.

It differs from the paper's procedure in these things. Windows may reach over the edge of the image,
where it goes on in grey, so that the landmarks of a tight portrait are as exact as others. They are
cut from an image pyramid, so that a large face is averaged down and not subsampled. Dark images are
brightened. The landmarks of a turned face are found once more in a window that is turned like it.
And drawn faces are left out, see ``vae.faces.texture``.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae import tensor_file
from vae.checkpoint import CheckpointError
from vae.faces import boxes as box_ops
from vae.faces.networks import (
    OUTPUT_SIDE,
    PROPOSAL_SIDE,
    PROPOSAL_STRIDE,
    REFINE_SIDE,
    OutputNetwork,
    ProposalNetwork,
    RefineNetwork,
)
from vae.faces.pyramid import from_windows, image_pyramid, level_of, windows
from vae.faces.texture import photographed

FORMAT = "lorgnette-face-detector-1"
MIN_FACE = 32  # pixels: side of the smallest box that is looked for
LEVEL_RATIO = 0.709  # of the sides of two levels that the proposal network sees, sqrt(1/2)
BETWEEN = LEVEL_RATIO**-0.5  # half a level
BORDER = 6  # grey pixels around each of these levels: half a window
MIN_LEVEL = 8  # pixels: side of the smallest of these levels
PROPOSAL_SCORE, REFINE_SCORE, OUTPUT_SCORE = 0.6, 0.7, 0.95  # least scores of a face
LEVEL_OVERLAP, OVERLAP = 0.5, 0.7  # see ``non_maximum``: within a level, and after each network
MAX_PER_LEVEL, MAX_REFINED, MAX_OUTPUT = 256, 384, 96  # windows; they bound time and memory

LANDMARKS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")

Point = tuple[float, float]


@dataclass(frozen=True)
class Face:
    """A face that was found, in pixels; pixel i reaches from i to i + 1.

    Attributes:
        box: left, top, right and bottom. It may reach over the edges of the image.
        score: 0..1.
        landmarks: x and y of each of ``LANDMARKS``; left and right are as seen in the image.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[Point, ...]

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


class Networks(nn.Module):
    """The three networks."""

    def __init__(self) -> None:
        super().__init__()
        self.proposal = ProposalNetwork()
        self.refine = RefineNetwork()
        self.output = OutputNetwork()


class FaceDetector:
    """Finds faces in images of any size.

    Args:
        networks: with their weights.
        device: where they run.
    """

    def __init__(self, networks: Networks, device: torch.device) -> None:
        self._networks = networks.eval().requires_grad_(False).to(device)
        # Twice as fast on a CPU as channels first.
        self._networks.to(memory_format=torch.channels_last)
        self._device = device

    @torch.inference_mode()
    def detect(self, image: Tensor) -> list[Face]:
        """The faces in an image, the largest first.

        Args:
            image: uint8 RGB ``(H, W, 3)``. Time and memory are linear in its pixels.
        """
        pyramid = image_pyramid(image.to(self._device))
        # Where nothing is found, once more at scales between the first ones.
        faces = self._search(pyramid, MIN_FACE) or self._search(pyramid, BETWEEN * MIN_FACE)
        return sorted(faces, key=lambda face: face.area, reverse=True)

    def _search(self, pyramid: list[Tensor], min_face: float) -> list[Face]:
        boxes = self._propose(pyramid, min_face)
        return self._output(pyramid, self._refine(pyramid, boxes))

    def _propose(self, pyramid: list[Tensor], min_face: float) -> Tensor:
        height, width = pyramid[0].shape[2:]
        found: list[tuple[Tensor, Tensor]] = []
        scale = PROPOSAL_SIDE / min_face
        while scale * min(height, width) >= MIN_LEVEL or not found:
            found.append(self._propose_at(pyramid, scale))
            scale *= LEVEL_RATIO
        boxes, scores = (torch.cat(parts) for parts in zip(*found, strict=True))
        kept = box_ops.non_maximum(boxes, scores, OVERLAP)[:MAX_REFINED]
        return boxes[kept]

    def _propose_at(self, pyramid: list[Tensor], scale: float) -> tuple[Tensor, Tensor]:
        """Boxes ``(N, 4)`` and scores ``(N,)`` at one scale, the best ``MAX_PER_LEVEL``."""
        height, width = pyramid[0].shape[2:]
        size = max(1, round(height * scale)), max(1, round(width * scale))
        source = level_of(pyramid, 1 / scale)
        level = F.interpolate(source, size, mode="bilinear", antialias=True, align_corners=False)
        logits, offsets = self._networks.proposal(F.pad(level, 4 * [BORDER]))
        scores = logits[0, 0].sigmoid()
        rows, columns = (scores > PROPOSAL_SCORE).nonzero(as_tuple=True)
        scores, offsets = scores[rows, columns], offsets[0, :, rows, columns].T
        corner = PROPOSAL_STRIDE * torch.stack([columns, rows], 1) - BORDER
        factors = torch.tensor([width / size[1], height / size[0]], device=self._device)
        boxes = torch.cat([corner * factors, (corner + PROPOSAL_SIDE) * factors], 1)
        best = scores.argsort(descending=True, stable=True)[:MAX_PER_LEVEL]
        boxes, scores, offsets = boxes[best], scores[best], offsets[best]
        kept = box_ops.non_maximum(boxes, scores, LEVEL_OVERLAP)
        return box_ops.refined(boxes[kept], offsets[kept]), scores[kept]

    def _refine(self, pyramid: list[Tensor], boxes: Tensor) -> Tensor:
        boxes = box_ops.squared(boxes)
        logits, offsets = self._networks.refine(windows(pyramid, boxes, REFINE_SIDE))
        scores = logits[:, 0].sigmoid()
        passed = scores > REFINE_SCORE
        boxes, scores, offsets = boxes[passed], scores[passed], offsets[passed]
        kept = box_ops.non_maximum(boxes, scores, OVERLAP)[:MAX_OUTPUT]
        return box_ops.refined(boxes[kept], offsets[kept])

    def _output(self, pyramid: list[Tensor], boxes: Tensor) -> list[Face]:
        boxes = box_ops.squared(boxes)
        logits, offsets, points = self._networks.output(windows(pyramid, boxes, OUTPUT_SIDE))
        scores = logits[:, 0].sigmoid()
        landmarks = from_windows(points.view(-1, 2, 5).transpose(1, 2), boxes)
        boxes = box_ops.refined(boxes, offsets)
        passed = scores > OUTPUT_SCORE
        boxes, scores, landmarks = boxes[passed], scores[passed], landmarks[passed]
        kept = box_ops.non_maximum(boxes, scores, OVERLAP, of_smaller=True)
        kept = kept[photographed(self._inside(pyramid, boxes[kept]))]
        landmarks = self._landmarks(pyramid, boxes[kept], landmarks[kept])
        rows = zip(boxes[kept].tolist(), scores[kept].tolist(), landmarks.tolist(), strict=True)
        return [
            Face((left, top, right, bottom), score, tuple((x, y) for x, y in five))
            for (left, top, right, bottom), score, five in rows
        ]

    def _landmarks(self, pyramid: list[Tensor], boxes: Tensor, landmarks: Tensor) -> Tensor:
        """Landmarks ``(N, 5, 2)`` once more, of windows that are centred on the face and upright.

        Args:
            pyramid: of the image.
            boxes: of the faces.
            landmarks: as found before, for the angle of each face.
        """
        across = landmarks[:, 1] - landmarks[:, 0] + landmarks[:, 4] - landmarks[:, 3]
        angles = torch.atan2(across[:, 1], across[:, 0])
        squares = box_ops.squared(boxes)
        *_, points = self._networks.output(windows(pyramid, squares, OUTPUT_SIDE, angles))
        return from_windows(points.view(-1, 2, 5).transpose(1, 2), squares, angles)

    @staticmethod
    def _inside(pyramid: list[Tensor], boxes: Tensor) -> Tensor:
        """The parts of the boxes that are in the image, ``(N, 3, 48, 48)``."""
        height, width = pyramid[0].shape[2:]
        limits = boxes.new_tensor([width, height, width, height])
        return windows(pyramid, boxes.clamp(min=0).minimum(limits), OUTPUT_SIDE)


def load(path: Path, device: torch.device | None = None) -> FaceDetector:
    """The detector whose weights a folder has, as ``docs/convert_face_detector.py`` writes them.

    Args:
        path: of the folder with ``model.safetensors``.
        device: where it runs; by default the CPU.

    Raises:
        CheckpointError: if the file is missing or not such a file.
    """
    file = path / "model.safetensors"
    networks = Networks()
    try:
        stored = tensor_file.read(file)
        if stored.metadata.get("format") != FORMAT:
            raise CheckpointError(f"{file}: not the weights of a face detector")
        networks.load_state_dict(stored.tensors)
    except (tensor_file.TensorFileError, RuntimeError) as error:
        raise CheckpointError(f"{file}: {error}") from None
    return FaceDetector(networks, device or torch.device("cpu"))

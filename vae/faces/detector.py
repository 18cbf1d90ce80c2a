"""Finds faces and their landmarks in a photograph, by the cascade of ``vae.faces.networks``.

It differs from the paper's procedure in four things. Windows may reach over the edge of the image,
where it goes on in grey, so that the landmarks of a tight portrait are as exact as others. They are
cut from an image pyramid, so that a large face is averaged down and not subsampled. Dark images are
brightened. And drawn faces are left out, see ``vae.faces.texture``.
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
from vae.faces.texture import photographed

FORMAT = "lorgnette-face-detector-1"
MIN_FACE = 28  # pixels: side of the smallest box that is looked for
LEVEL_RATIO = 0.709  # of the sides of two levels that the proposal network sees, sqrt(1/2)
BORDER = 6  # grey pixels around each of these levels: half a window
MIN_LEVEL = 8  # pixels: side of the smallest of these levels
PROPOSAL_SCORE, REFINE_SCORE, OUTPUT_SCORE = 0.6, 0.7, 0.95  # least scores of a face
LEVEL_OVERLAP, OVERLAP = 0.5, 0.7  # see ``non_maximum``: within a level, and after each network
BRIGHT_QUANTILE, BRIGHT_LEVEL, MAX_GAIN = 0.98, 160, 8  # of values 0..255, see ``_gain``
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
        self._device = device

    @torch.inference_mode()
    def detect(self, image: Tensor) -> list[Face]:
        """The faces in an image, the largest first.

        Args:
            image: uint8 RGB ``(H, W, 3)``. Time and memory are linear in its pixels.
        """
        pyramid = _pyramid(image.to(self._device))
        boxes = self._propose(pyramid)
        boxes = self._refine(pyramid, boxes)
        faces = self._output(pyramid, boxes)
        return sorted(faces, key=lambda face: face.area, reverse=True)

    def _propose(self, pyramid: list[Tensor]) -> Tensor:
        height, width = pyramid[0].shape[2:]
        found: list[tuple[Tensor, Tensor]] = []
        scale = PROPOSAL_SIDE / MIN_FACE
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
        source = _level(pyramid, 1 / scale)
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
        sides = (boxes[:, 2:] - boxes[:, :2])[:, None]
        landmarks = boxes[:, None, :2] + sides * points.view(-1, 2, 5).transpose(1, 2)
        refined = box_ops.refined(boxes, offsets)
        passed = scores > OUTPUT_SCORE
        refined, scores, landmarks = refined[passed], scores[passed], landmarks[passed]
        kept = box_ops.non_maximum(refined, scores, OVERLAP, of_smaller=True)
        kept = kept[photographed(self._inside(pyramid, refined[kept]))]
        rows = zip(
            refined[kept].tolist(), scores[kept].tolist(), landmarks[kept].tolist(), strict=True
        )
        return [
            Face((left, top, right, bottom), score, tuple((x, y) for x, y in five))
            for (left, top, right, bottom), score, five in rows
        ]

    @staticmethod
    def _inside(pyramid: list[Tensor], boxes: Tensor) -> Tensor:
        """The parts of the boxes that are in the image, ``(N, 3, 48, 48)``."""
        height, width = pyramid[0].shape[2:]
        limits = boxes.new_tensor([width, height, width, height])
        return windows(pyramid, boxes.clamp(min=0).minimum(limits), OUTPUT_SIDE)


def windows(pyramid: list[Tensor], boxes: Tensor, side: int) -> Tensor:
    """The parts of an image in boxes as ``(N, 3, side, side)``; grey beyond its edges.

    Args:
        pyramid: of the image, see ``_pyramid``.
        boxes: ``(N, 4)``.
        side: pixels of each window.
    """
    found = boxes.new_empty(len(boxes), 3, side, side)
    steps = (torch.arange(side, device=boxes.device) + 0.5) / side
    reductions = (boxes[:, 2:] - boxes[:, :2]).min(1).values / side  # pixels of the image per pixel
    levels = reductions.clamp(min=1).log2().floor().long().clamp(max=len(pyramid) - 1)
    for number in range(len(pyramid)):
        chosen = levels == number
        if not chosen.any():
            continue
        corner, extent = boxes[chosen, :2], boxes[chosen, 2:] - boxes[chosen, :2]
        points = (corner[:, None] + steps[None, :, None] * extent[:, None]) / 2**number
        height, width = pyramid[number].shape[2:]
        # grid_sample: -1 and 1 are the outer edges of the image.
        x = 2 * points[:, :, 0] / width - 1
        y = 2 * points[:, :, 1] / height - 1
        count = len(points)
        grid = torch.stack(
            [x[:, None].expand(count, side, side), y[:, :, None].expand(count, side, side)], 3
        )
        sampled = F.grid_sample(
            pyramid[number], grid.reshape(1, count * side, side, 2), align_corners=False
        )
        found[chosen] = sampled.view(3, count, side, side).transpose(0, 1)
    return found


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


def _pyramid(image: Tensor) -> list[Tensor]:
    """An image as the networks take it, ``(1, 3, H, W)``, then its halves down to a few pixels."""
    level = (image.permute(2, 0, 1)[None] * _gain(image) - 127.5) / 128
    pyramid = [level]
    while min(level.shape[2:]) >= 2 * MIN_LEVEL:
        level = F.avg_pool2d(level, 2)
        pyramid.append(level)
    return pyramid


def _gain(image: Tensor) -> Tensor:
    """The factor that makes a dark image bright: the networks know few dark ones."""
    bright = image[::4, ::4].float().quantile(BRIGHT_QUANTILE)
    return (BRIGHT_LEVEL / bright.clamp(min=1)).clamp(1, MAX_GAIN)


def _level(pyramid: list[Tensor], reduction: float) -> Tensor:
    """The smallest level that is not reduced further than this."""
    number = int(torch.tensor(max(1.0, reduction)).log2().floor())
    return pyramid[min(number, len(pyramid) - 1)]

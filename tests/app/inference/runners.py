"""Runners to select from, and one whose results are off."""

from collections.abc import Callable

import torch
from torch import Tensor

from app.inference.runner_selection import cuda_candidates, select_runner
from app.inference.runners import EagerRunner, Runner
from tests.app.conftest import tiny_checkpoint

CPU = torch.device("cpu")


def on_cuda(reference: EagerRunner, capture: Callable[[EagerRunner], Runner]) -> Runner:
    model = tiny_checkpoint(0).model
    return select_runner(reference, model, 4, cuda_candidates(reference, model, 4, capture))


def decode(runner: Runner, latents: Tensor, detail: float = 0.0) -> Tensor:
    """The images of a runner, all with the same detail."""
    return runner.decode(latents, torch.full((len(latents),), detail))


class Shifted:
    """A runner whose images are darker by a few grey levels, or whose posteriors are shifted."""

    def __init__(
        self, runner: Runner, levels: int = 0, shift: float = 0.0, wider: float = 0.0
    ) -> None:
        self.runner, self.levels, self.shift, self.wider = (
            runner,
            levels,
            shift,
            wider,
        )

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.runner.encode(images)
        return mean + self.shift, logvar + self.wider

    def decode(self, latents: Tensor, detail: Tensor) -> Tensor:
        images = self.runner.decode(latents, detail).int()
        return (images - self.levels).clamp(0, 255).to(torch.uint8)

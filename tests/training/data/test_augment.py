import numpy as np
import pytest
import torch

from tests.training.sources import levels, noise
from training.data.augment import Augmentation


def changed(augmentation: Augmentation, batch: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return augmentation(batch, np.random.default_rng(seed))


def test_without_options_nothing_changes() -> None:
    batch = torch.from_numpy(noise(4))
    assert changed(Augmentation(), batch).equal(batch)


@pytest.mark.parametrize(
    "augmentation", [Augmentation(True), Augmentation(shift=3), Augmentation(jitter=0.2)]
)
def test_the_same_seed_does_the_same_and_the_batch_stays(augmentation: Augmentation) -> None:
    batch = torch.from_numpy(noise(32))
    before = batch.clone()
    once, again, other = (changed(augmentation, batch, seed) for seed in (0, 0, 1))
    assert once.dtype == torch.uint8
    assert once.equal(again)
    assert not once.equal(other)
    assert batch.equal(before)


def test_a_shift_moves_whole_pixels_and_repeats_the_edge() -> None:
    image = noise(1, 16)[0]
    batch = torch.from_numpy(np.stack([image] * 60))
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
    windows = {padded[y : y + 16, x : x + 16].tobytes() for y in range(5) for x in range(5)}
    seen = {p.numpy().tobytes() for p in changed(Augmentation(shift=2), batch)}
    assert seen <= windows
    assert len(seen) > 15


def test_jitter_scales_each_channel_within_its_bounds() -> None:
    moved = changed(Augmentation(jitter=0.1), torch.from_numpy(levels([100] * 200)))
    assert moved.min() >= 90
    assert moved.max() <= 110
    gains = moved[:, 0, 0]
    assert (gains[:, 0] != gains[:, 1]).any()
    assert (moved == gains[:, None, None]).all()
    assert changed(Augmentation(jitter=0.5), torch.from_numpy(levels([255] * 50))).max() == 255

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from tests.training.sources import Bytes, dataset, noise
from training.data.sources import Dataset
from training.evaluate.reconstruction import counterfactual_edits, evaluate, psnr
from vae.checkpoint import Checkpoint
from vae.directions import Direction
from vae.gaussian import DiagonalGaussian
from vae.model import VAE, Output, VAEConfig
from vae.prior import LatentStatistics

SIZE = 12
PIXELS = SIZE * SIZE
PERFECT = 100.0  # dB, where psnr is cut off


class Exact(VAE):
    """Its latent is the picture itself, so that arithmetic on latents is arithmetic on pixels."""

    def __init__(self, output: Output = "clamp") -> None:
        super().__init__(VAEConfig("mlp", 1, SIZE, latent_dim=PIXELS, output=output, hidden=1))

    def encode(self, x: Tensor) -> DiagonalGaussian:
        flat = x.flatten(1)
        return DiagonalGaussian(flat, torch.full_like(flat, -30.0))

    def decode_logits(self, z: Tensor) -> Tensor:
        return z.reshape(-1, 1, SIZE, SIZE) - 0.5


def checkpoint(model: VAE, sigma: float | None = 0.1, **directions: Direction) -> Checkpoint:
    dim = model.config.latent_dim
    nowhere = LatentStatistics(torch.zeros(dim), torch.zeros(dim, dim))
    return Checkpoint(model, nowhere, directions, sigma)


def test_psnr_of_known_errors() -> None:
    x = torch.full((3, 1, 4, 4), 0.5)
    y = x + torch.tensor([0.1, 0.5, 0.0]).reshape(3, 1, 1, 1)
    expected = [20.0, 20 * math.log10(2), PERFECT]
    assert psnr(x, y).tolist() == pytest.approx(expected, abs=1e-3)


def test_the_figures_of_a_perfect_model() -> None:
    pictures = noise(5, SIZE, channels=1)
    found = evaluate(checkpoint(Exact(), sigma=0.1), dataset(pictures))
    assert found["psnr_db"] == pytest.approx(PERFECT)
    assert found["ssim"] == pytest.approx(1.0)
    surplus = PIXELS * (math.log(0.1) + 0.5 * math.log(2 * math.pi))
    assert found["distortion_nats"] == pytest.approx(surplus, abs=1e-2)
    codes = pictures.reshape(5, -1) / 255.0
    rate = 0.5 * (np.exp(-30) + codes**2 - 1 + 30).sum(1).mean()
    assert found["rate_nats"] == pytest.approx(rate, rel=1e-5)
    assert found["elbo_nats"] == -(found["distortion_nats"] + found["rate_nats"])
    assert found["active_units"] == int((codes.var(0) > 0.01).sum())
    assert (found["latent_dim"], found["pictures"]) == (PIXELS, 5)
    assert "ms_ssim" not in found
    assert "edits" not in found


def test_distortion_is_the_likelihood_of_the_pixels_that_the_checkpoint_names() -> None:
    """A Gaussian of its sigma, or Bernoulli: on codes of no variance both can be told exactly."""
    data = dataset(noise(3, SIZE, channels=1))
    x = torch.from_numpy(data.pictures).permute(0, 3, 1, 2) / 255.0
    found = evaluate(checkpoint(Exact("sigmoid"), sigma=None), data)
    expected = -Bernoulli(logits=x - 0.5, validate_args=False).log_prob(x).sum() / 3  # type: ignore[no-untyped-call]
    assert found["distortion_nats"] == pytest.approx(float(expected), rel=1e-4)
    found = evaluate(checkpoint(Exact("sigmoid"), sigma=0.2), data)
    expected = -Normal((x - 0.5).sigmoid(), 0.2).log_prob(x).sum() / 3  # type: ignore[no-untyped-call]
    assert found["distortion_nats"] == pytest.approx(float(expected), rel=1e-4)


def test_figures_do_not_depend_on_the_random_state() -> None:
    torch.manual_seed(0)
    config = VAEConfig("residual", 3, 32, latent_dim=4, widths=(8, 16))
    found, data = checkpoint(VAE(config).eval()), dataset(noise(40))
    first = evaluate(found, data)
    torch.rand(3)
    assert evaluate(found, data) == first
    assert 0 < first["psnr_db"] < 30


def test_large_pictures_are_judged_at_several_scales_too() -> None:
    config = VAEConfig("residual", 1, 192, latent_dim=2, widths=(4, 4, 4, 4), blocks=0)
    found = evaluate(checkpoint(VAE(config).eval()), dataset(noise(2, 192, channels=1)))
    assert 0 <= found["ms_ssim"] < 1


FRAMES = {"round": (slice(3, 5), 60), "square": (slice(5, 8), -50)}


def worn(ground: Bytes, frame: str) -> Bytes:
    """Glasses are a stripe; each frame lightens or darkens rows of its own."""
    rows, step = FRAMES[frame]
    picture = ground.copy()
    picture[rows] += np.uint8(step % 256)
    return picture


def portraits(people: int = 4) -> Dataset:
    """Every identity bare and in both frames."""
    pictures, tags = [], {"identity": list[str](), "frame": list[str](), "frame_color": list[str]()}
    for i, ground in enumerate(noise(people, SIZE, channels=1) // 2 + 60):  # 60 to 187
        for frame in ("", *FRAMES):
            pictures.append(worn(ground, frame) if frame else ground)
            tags["identity"].append(str(i))
            tags["frame"].append(frame)
            tags["frame_color"].append("black" if frame else "")
    glasses = [float(bool(frame)) for frame in tags["frame"]]
    square = [float(frame == "square") for frame in tags["frame"]]
    return dataset(np.stack(pictures), {"glasses": glasses, "square": square}, tags)


def stripe(frame: str) -> Tensor:
    """What a frame adds to a latent."""
    rows, step = FRAMES[frame]
    vector = torch.zeros(SIZE, SIZE)
    vector[rows] = step / 255
    return vector.flatten()


def test_exact_arithmetic_hits_every_true_answer() -> None:
    glasses = Direction(stripe("round"), "on", "made", 1)
    square = Direction(stripe("square") - stripe("round"), "square", "made", 1)
    found = counterfactual_edits(
        checkpoint(Exact(), glasses=glasses, square=square, elsewhere=glasses), portraits()
    )
    assert found.keys() == {
        "put on (donors)",
        "take off (donors)",
        "take off (directions)",
        "another frame (donors)",
    }
    for scores in found.values():
        assert scores["nearer"] == 1
        for name in ("edit", "ceiling", "preserved_edit"):
            assert scores[name] == pytest.approx(PERFECT, abs=1)
        for name in ("nothing", "preserved_nothing"):
            assert scores[name] < 25
    assert evaluate(checkpoint(Exact()), portraits())["edits"].keys() == found.keys()


def test_a_wrong_direction_scores_worse_than_nothing() -> None:
    away = Direction(-stripe("round"), "wrong", "made", 1)
    edits = counterfactual_edits(checkpoint(Exact(), glasses=away), portraits())
    scores = edits["take off (directions)"]
    assert scores["edit"] < scores["nothing"]
    assert edits["take off (donors)"]["edit"] == pytest.approx(PERFECT, abs=1)


def test_nobody_is_their_own_donor() -> None:
    assert counterfactual_edits(checkpoint(Exact()), portraits(people=1)) == {}


def test_pictures_without_a_bare_counterpart_are_left_out() -> None:
    data = portraits()
    rows = [i for i in range(len(data)) if i != 0]  # identity 0 is never seen bare
    tags = {k: [v[i] for i in rows] for k, v in data.tags.items()}
    labels = {k: v[rows] for k, v in data.labels.items()}
    without = replace(data, rows=data.rows[rows], tags=tags, labels=labels)
    found = counterfactual_edits(checkpoint(Exact()), without)
    assert found["put on (donors)"]["edit"] == pytest.approx(PERFECT, abs=1)

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from training.fit.loss import Loss, LossConfig, Terms
from vae.config import Output, VAEConfig
from vae.gaussian import DiagonalGaussian
from vae.model import VAE

SIZE = 4
PIXELS = SIZE * SIZE


class Fixed(VAE):
    """Gives the same posterior and the same logits for every image."""

    def __init__(self, raw: Tensor, mean: Tensor, output: Output = "clamp") -> None:
        dim = mean.shape[1]
        super().__init__(VAEConfig("mlp", 1, SIZE, dim, output, hidden=1))
        self.logits, self.mean = raw, mean

    def encode(self, x: Tensor) -> DiagonalGaussian:
        return DiagonalGaussian(self.mean, torch.zeros_like(self.mean))

    def decode_logits(self, z: Tensor) -> Tensor:
        return self.logits


def images(seed: int = 0) -> Tensor:
    return torch.rand(2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def terms(
    config: LossConfig,
    x: Tensor,
    raw: Tensor | None = None,
    mean: Tensor | None = None,
    output: Output = "clamp",
    progress: float = 1.0,
) -> Terms:
    """Of a model that gives ``raw``, or mid-grey, and a posterior around ``mean``, or zero."""
    raw = torch.zeros_like(x) if raw is None else raw
    model = Fixed(raw, torch.zeros(len(x), 3) if mean is None else mean, output)
    found: Terms = Loss(config, model)(model, x, None, progress)
    return found


def test_mse_is_the_squared_error_summed_over_pixels() -> None:
    x, raw = images(), images(1)
    found = terms(LossConfig("mse"), x, raw)
    expected = (raw + 0.5 - x).square().sum() / 2
    assert float(found.distortion) == pytest.approx(float(expected))
    assert float(found.objective) == pytest.approx(float(expected) / PIXELS)
    assert float(found.rate) == 0


def test_bce_is_the_bernoulli_likelihood() -> None:
    x, raw = images().round(), 3 * images(1)
    found = terms(LossConfig("bce"), x, raw, output="sigmoid")
    expected = -Bernoulli(logits=raw).log_prob(x).sum() / 2  # type: ignore[no-untyped-call]
    assert float(found.distortion) == pytest.approx(float(expected))


def test_bce_of_mid_grey_is_log_two_a_pixel() -> None:
    found = terms(LossConfig("bce"), images(), output="sigmoid")
    assert float(found.distortion) == pytest.approx(PIXELS * math.log(2))


def test_bce_is_least_where_the_reconstruction_is_the_image() -> None:
    """On pixels in [0, 1] it has a floor; on pixels in [-1, 1] it would fall without end."""
    x = images().clamp(0.1, 0.9)
    raw = x.logit().requires_grad_()
    found = terms(LossConfig("bce"), x, raw, output="sigmoid")
    found.objective.backward()  # type: ignore[no-untyped-call]
    assert raw.grad is not None
    torch.testing.assert_close(raw.grad, torch.zeros_like(raw), atol=1e-7, rtol=0)


def test_bce_without_a_sigmoid_is_refused() -> None:
    with pytest.raises(ValueError, match="sigmoid"):
        terms(LossConfig("bce"), images())


def gaussian_loss(x: Tensor, raw: Tensor, scale: float) -> tuple[Loss, Terms]:
    model = Fixed(raw, torch.zeros(len(x), 3))
    loss = Loss(LossConfig("gaussian"), model)
    assert loss.log_sigma is not None
    loss.log_sigma.data.fill_(math.log(scale))
    return loss, loss(model, x, None, 1.0)


def test_gaussian_is_the_normal_likelihood() -> None:
    x, raw = images(), images(1)
    _, found = gaussian_loss(x, raw, 0.3)
    expected = -Normal(raw + 0.5, 0.3).log_prob(x).sum() / 2  # type: ignore[no-untyped-call]
    assert float(found.distortion) == pytest.approx(float(expected))


@pytest.mark.parametrize(("factor", "sign"), [(0.5, -1), (1.0, 0), (2.0, 1)])
def test_the_learned_scale_is_best_at_the_root_mean_squared_error(factor: float, sign: int) -> None:
    x, raw = images(), images(1)
    best = float((raw + 0.5 - x).square().mean().sqrt())
    loss, found = gaussian_loss(x, raw, factor * best)
    found.objective.backward()  # type: ignore[no-untyped-call]
    assert loss.log_sigma is not None
    assert loss.log_sigma.grad is not None
    slope = float(loss.log_sigma.grad)
    assert slope == pytest.approx(0, abs=1e-5) if sign == 0 else slope * sign > 0.1


def test_weight_and_beta_stay_out_of_the_figures() -> None:
    x, mean = images(), torch.tensor([[1.0, 0.0, 0.0], [2.0, 0.0, 1.0]])
    light = terms(LossConfig("mse"), x, mean=mean)
    heavy = terms(LossConfig("mse", weight=7, beta=3), x, mean=mean)
    assert heavy.distortion.equal(light.distortion)
    assert heavy.rate.equal(light.rate)
    assert float(heavy.rate) == pytest.approx(0.5 * (1 + 4 + 1) / 2)
    expected = 7 * heavy.distortion + 3 * heavy.rate
    assert float(heavy.objective) == pytest.approx(float(expected) / PIXELS)
    assert not heavy.distortion.requires_grad


def test_beta_rises_during_the_warm_up() -> None:
    x, mean = images(), torch.ones(2, 3)
    config = LossConfig("mse", beta=2, kl_warmup=0.5)

    def kl_penalised(progress: float) -> float:
        found = terms(config, x, mean=mean, progress=progress)
        return float(found.objective * PIXELS - found.distortion)

    rate = 1.5
    assert kl_penalised(0.0) == pytest.approx(0, abs=1e-5)
    assert kl_penalised(0.25) == pytest.approx(rate, rel=1e-4)
    assert kl_penalised(0.5) == pytest.approx(2 * rate, rel=1e-4)
    assert kl_penalised(1.0) == pytest.approx(2 * rate, rel=1e-4)


def test_free_bits_press_only_on_dimensions_that_carry_more() -> None:
    mean = torch.tensor([[0.2, 2.0, 0.0], [0.2, 2.0, 1.0]], requires_grad=True)
    found = terms(LossConfig("mse", free_bits=0.3), images(), mean=mean)
    found.objective.backward()  # type: ignore[no-untyped-call]
    assert mean.grad is not None
    assert torch.equal(mean.grad[:, [0, 2]], torch.zeros(2, 2))  # 0.02 and 0.25 nats on average
    assert (mean.grad[:, 1] > 0).all()
    kl_penalised = found.objective.detach() * PIXELS - found.distortion
    assert float(kl_penalised) == pytest.approx(0.3 + 2.0 + 0.3, rel=1e-4)
    assert float(found.rate) == pytest.approx(0.02 + 2.0 + 0.25, rel=1e-4)


def one_wrong_pixel(row: int, column: int) -> Tensor:
    """Images whose mid-grey reconstruction has an error of 0.4 in one pixel of each."""
    x = torch.full((2, 1, SIZE, SIZE), 0.5)
    x[:, :, row, column] = 0.9
    return x


@pytest.mark.parametrize(("row", "weight"), [(0, 1), (1, 3), (2, 3), (3, 1)])
def test_weighted_rows_count_more(row: int, weight: float) -> None:
    found = terms(LossConfig("mse", row_weight=(0.25, 0.75, 3.0)), one_wrong_pixel(row, 0))
    assert float(found.objective) == pytest.approx(weight * 0.16 / PIXELS)
    assert float(found.distortion) == pytest.approx(0.16)


def test_row_weights_apply_to_the_bernoulli_too() -> None:
    x = torch.full((1, 1, SIZE, SIZE), 0.5)
    found = terms(LossConfig("bce", row_weight=(0.25, 0.5, 3.0)), x, output="sigmoid")
    assert float(found.objective) == pytest.approx(math.log(2) * (12 + 3 * 4) / PIXELS)


@pytest.mark.parametrize(("place", "differences"), [((0, 0), 2), ((0, 1), 3), ((2, 1), 4)])
def test_the_gradient_term_counts_differences_between_neighbouring_pixels(
    place: tuple[int, int], differences: int
) -> None:
    found = terms(LossConfig("mse", gradient_weight=0.5), one_wrong_pixel(*place))
    expected = 0.16 * (1 + 0.5 * differences)
    assert float(found.objective) == pytest.approx(expected / PIXELS)
    assert float(found.distortion) == pytest.approx(0.16)


def test_the_gradient_term_ignores_an_even_error() -> None:
    x = torch.full((2, 1, SIZE, SIZE), 0.9)
    plain, weighted = (terms(LossConfig("mse", gradient_weight=e), x) for e in (0.0, 2.0))
    assert weighted.objective.equal(plain.objective)

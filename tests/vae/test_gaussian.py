import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vae.gaussian import DiagonalGaussian


def gaussian(mu: float, sigma: float) -> DiagonalGaussian:
    return DiagonalGaussian(torch.tensor([[mu]]), torch.tensor([[2.0 * math.log(sigma)]]))


def some_rows() -> DiagonalGaussian:
    generator = torch.Generator().manual_seed(0)
    return DiagonalGaussian(
        torch.randn(5, 3, generator=generator), torch.randn(5, 3, generator=generator)
    )


@pytest.mark.parametrize(
    ("mu", "sigma", "nats"),
    [
        (0.0, 1.0, 0.0),
        (1.0, 1.0, 0.5),
        (-3.0, 1.0, 4.5),
        (0.0, 2.0, 0.5 * (4.0 - 1.0 - math.log(4.0))),  # with log sigma for log sigma^2: 1.153
        (0.0, 0.5, 0.5 * (0.25 - 1.0 + math.log(4.0))),
        (1.0, 1e-6, 0.5 * (1.0 + 1e-12 - 1.0 + 12.0 * math.log(10.0))),  # nowhere near zero
    ],
)
def test_kl_known_values(mu: float, sigma: float, nats: float) -> None:
    assert gaussian(mu, sigma).kl().item() == pytest.approx(nats, abs=1e-5)


def test_kl_has_its_minimum_at_the_standard_normal() -> None:
    mean, logvar = torch.zeros(1, 4, requires_grad=True), torch.zeros(1, 4, requires_grad=True)
    gradients = torch.autograd.grad(DiagonalGaussian(mean, logvar).kl().sum(), (mean, logvar))
    assert not any(gradient.any() for gradient in gradients)
    assert (some_rows().kl_per_dimension() > 0).all()


def test_kl_agrees_with_torch() -> None:
    q = some_rows()
    theirs = kl_divergence(Normal(q.mean, (0.5 * q.logvar).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(q.kl_per_dimension(), theirs)
    torch.testing.assert_close(q.kl(), theirs.sum(1))


def test_kl_agrees_with_monte_carlo() -> None:
    mean, logvar = torch.tensor([[0.7, -1.2, 0.0]]), torch.tensor([[0.5, -1.5, 1.0]])
    n = 20_000
    q = DiagonalGaussian(mean.expand(n, 3), logvar.expand(n, 3))
    z = q.sample(torch.Generator().manual_seed(0))
    sigma = (0.5 * q.logvar).exp()
    log_q, log_p = -0.5 * ((z - q.mean) / sigma) ** 2 - sigma.log(), -0.5 * z**2
    ratios = (log_q - log_p).sum(1)
    standard_error = ratios.std() / math.sqrt(n)
    assert (ratios.mean() - q.kl()[0]).abs() < 4.0 * standard_error


def test_sample_has_the_mean_and_scale_it_should() -> None:
    n = 20_000
    mean, sigma = torch.tensor([-1.0, 0.0, 5.0]), torch.tensor([0.1, 1.0, 2.0])
    q = DiagonalGaussian(mean.expand(n, 3), (2.0 * sigma.log()).expand(n, 3))
    z = q.sample(torch.Generator().manual_seed(0))
    assert ((z.mean(0) - mean).abs() < 4.0 * sigma / math.sqrt(n)).all()
    assert ((z.std(0) - sigma).abs() < 4.0 * sigma / math.sqrt(2 * n)).all()
    assert (torch.corrcoef(z.T) - torch.eye(3)).abs().max() < 4.0 / math.sqrt(n)


def test_sample_is_made_by_its_generator_alone() -> None:
    q = some_rows()
    outside = torch.get_rng_state()
    first = q.sample(torch.Generator().manual_seed(1))
    torch.rand(1)
    assert torch.equal(q.sample(torch.Generator().manual_seed(1)), first)
    assert not torch.equal(q.sample(torch.Generator().manual_seed(2)), first)
    torch.set_rng_state(outside)
    q.sample(torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), outside)


def test_sample_lets_gradients_through() -> None:
    q = DiagonalGaussian(
        torch.zeros(1, 2, requires_grad=True), torch.full((1, 2), 1.4, requires_grad=True)
    )
    z = q.sample(torch.Generator().manual_seed(0))
    by_mean, by_logvar = torch.autograd.grad(z.sum(), (q.mean, q.logvar))
    assert by_mean.tolist() == [[1.0, 1.0]]
    torch.testing.assert_close(by_logvar, 0.5 * z.detach())

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.fit.adversarial_runs import (
    DIM,
    RECIPE,
    ignore,
    images,
    start,
    stop_after,
    trainer,
)
from tests.training.fit.trainer_runs import same
from tests.training.sources import dataset, noise
from training.fit.adversarial_objective import AdversarialObjective, Gradients, Window
from training.fit.errors import TrainingError
from training.fit.loop import Progress
from training.report.previews import decode_with_detail, preview
from vae import checkpoint


def test_everything_but_the_branch_stays_as_it_was_to_the_last_bit(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    assert run.run(ignore)
    before, after = start(), run.checkpoint()
    weights = after.model.state_dict()
    assert same(
        {k: v for k, v in weights.items() if not k.startswith("detail.")},
        before.model.state_dict(),
    )
    assert after.statistics.mean.equal(before.statistics.mean)
    assert after.statistics.covariance.equal(before.statistics.covariance)
    assert after.directions["glasses"].vector.equal(before.directions["glasses"].vector)
    assert after.sample([1, 2]).equal(before.sample([1, 2]))
    z = torch.randn(3, DIM)
    assert after.model.decode_with_detail(z, torch.zeros(3)).equal(before.model.decode(z))
    assert (
        after.model.decode_with_detail(z, torch.ones(3)) - before.model.decode(z)
    ).abs().max() > 1e-4


def test_both_networks_learn_and_the_average_follows(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    before = {k: v.clone() for k, v in run.discriminator.named_parameters()}
    run.run(ignore)
    assert all(not v.equal(before[k]) for k, v in run.discriminator.named_parameters())
    assert all(v.any() for v in run.branch.state_dict().values())
    assert not same(run.averaged, run.branch.state_dict())
    assert all(p.grad is None for p in run.model.encoder.parameters())


def test_shards_change_a_step_by_rounding_and_noise_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exact(*_: Any, **__: Any) -> torch.autocast:
        return torch.autocast("cpu", enabled=False)

    monkeypatch.setattr(AdversarialObjective, "_autocast", exact)
    recipe = replace(RECIPE, sampled=0.0, warmup_steps=0)
    one = trainer(tmp_path / "1", replace(recipe, shards=1))
    two = trainer(tmp_path / "2", replace(recipe, shards=2))
    seen: list[Progress] = []

    def first_step(progress: Progress) -> None:
        seen.append(progress)
        raise KeyboardInterrupt

    for run in (one, two):
        with pytest.raises(KeyboardInterrupt):
            run.run(first_step)
    for name, value in seen[0].terms.items():
        assert seen[1].terms[name] == pytest.approx(value, rel=1e-4), name
    for (name, a), b in zip(one.branch.named_parameters(), two.branch.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-3, msg=name)


def test_the_first_step_goes_against_the_sign_of_every_gradient(tmp_path: Path) -> None:
    """As Adam's does, whatever the memory order of weights and gradients."""
    run = trainer(tmp_path, replace(RECIPE, warmup_steps=0))
    networks = {"branch": run.branch, "discriminator": run.discriminator}
    before = {n: [p.detach().clone() for p in m.parameters()] for n, m in networks.items()}
    with pytest.raises(KeyboardInterrupt):
        run.run(stop_after(0))
    for name, network in networks.items():
        for parameter, old in zip(network.parameters(), before[name], strict=True):
            assert parameter.grad is not None
            clear = parameter.grad.abs() > 1e-5
            moved = (parameter.detach() - old)[clear]
            assert moved.sign().equal(-parameter.grad[clear].sign())
            assert parameter.grad.stride() == parameter.stride()


def test_a_step_measures_the_terms_of_both_networks(tmp_path: Path) -> None:
    assert set(trainer(tmp_path).train_step()) == {
        "discriminator",
        "feature_matching",
        "real_logit",
        "fake_logit",
        "absolute",
        "low_frequency",
    }


def test_a_quarter_of_every_batch_has_the_label(tmp_path: Path) -> None:
    data = dataset(noise(40), {"glasses": [float(i == 7) for i in range(40)]})
    run = trainer(tmp_path, data=data)
    order = run._order._permutation(0)
    assert (order[::4] == 7).all()
    assert len(np.unique(order)) > 20
    assert (order != run._order._permutation(1)).any()


def test_a_label_that_no_image_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="label 'hat'"):
        trainer(tmp_path, replace(RECIPE, balance="hat"))


def test_windows_lie_within_the_image_on_the_grid(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    rng = np.random.default_rng(0)
    found = {(rows.start, columns.start) for rows, columns in (run._window(rng) for _ in range(99))}
    assert found == {(0, 0), (0, 8), (8, 0), (8, 8)}
    rows, _ = run._window(rng)
    assert rows.stop - rows.start == 24


def test_rates_fall_to_zero_at_the_end(tmp_path: Path) -> None:
    run = trainer(tmp_path, replace(RECIPE, cooldown=0.5))
    rates: list[float] = []
    optimizer = run._optimizers["branch_optimizer"]
    run.run(lambda _: rates.append(optimizer.param_groups[0]["lr"]))
    assert rates[:5] == [RECIPE.learning_rate] * 5
    assert rates[5:] == pytest.approx([f * RECIPE.learning_rate for f in (0.75, 0.5, 0.25)])


def test_adversarial_terms_rise_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factors: list[float] = []
    call = AdversarialObjective.__call__

    def watched(
        self: AdversarialObjective, x: Tensor, g: torch.Generator, w: Window, warmup: float
    ) -> Gradients:
        factors.append(warmup)
        return call(self, x, g, w, warmup)

    monkeypatch.setattr(AdversarialObjective, "__call__", watched)
    trainer(tmp_path, replace(RECIPE, shards=1)).run(ignore)
    assert factors[:5] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])


def test_the_checkpoint_and_a_preview_of_it(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.run(ignore)
    found = run.checkpoint()
    checkpoint.save(found, tmp_path / "model.safetensors")
    loaded = checkpoint.load(tmp_path / "model.safetensors")
    assert loaded.model.config.detail_channels == RECIPE.detail_channels
    assert loaded.directions.keys() == {"glasses"}
    shown = preview(loaded, images(8), range(8))
    assert shown.size == (8 * 36 - 4, 5 * 36 - 4)
    plain = decode_with_detail(loaded.model, torch.zeros(1, DIM), 0.0)
    assert plain[0].shape == (32, 32, 3)

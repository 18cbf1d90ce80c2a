import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tests.training.fit.adversarial_runs import RECIPE, ignore, stop_after, trainer
from tests.training.fit.trainer_runs import same
from training.fit.adversarial_objective import AdversarialObjective, Gradients
from training.fit.adversarial_recipe import AdversarialRecipe
from training.fit.errors import TrainingError


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_an_interrupted_run_ends_bit_for_bit_like_an_unbroken_one(
    tmp_path: Path, shards: int
) -> None:
    recipe = replace(RECIPE, shards=shards)
    whole = trainer(tmp_path / "whole", recipe)
    assert whole.run(ignore)
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "run", recipe).run(stop_after(6), save_minutes=0)
    again = trainer(tmp_path / "run", recipe)
    assert again.step == 6
    assert again.run(ignore)
    assert same(again.averaged, whole.averaged)
    assert same(again.discriminator.state_dict(), whole.discriminator.state_dict())
    saves = [load_file(tmp_path / name / "state.safetensors") for name in ("run", "whole")]
    assert same(*saves)


@pytest.mark.parametrize(
    "other", [replace(RECIPE, learning_rate=1e-3), replace(RECIPE, seed=2)], ids=["rate", "seed"]
)
def test_a_save_of_another_run_is_refused(tmp_path: Path, other: AdversarialRecipe) -> None:
    trainer(tmp_path).run(ignore, max_minutes=0)
    with pytest.raises(TrainingError, match="holds a run that differs in recipe"):
        trainer(tmp_path, other)


def test_a_run_may_be_given_more_epochs(tmp_path: Path) -> None:
    assert trainer(tmp_path).run(ignore)
    longer = trainer(tmp_path, replace(RECIPE, epochs=3))
    assert longer.step == 8
    assert not longer.run(ignore, max_minutes=0)
    assert longer.run(ignore)
    assert longer.step == 12


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path).run(stop_after(6), save_minutes=0)
    call = AdversarialObjective.__call__

    def poisoned(self: AdversarialObjective, *arguments: Any) -> Gradients:
        found = call(self, *arguments)
        return replace(found, terms={**found.terms, "absolute": math.nan})

    monkeypatch.setattr(AdversarialObjective, "__call__", poisoned)
    with pytest.raises(TrainingError, match="no longer finite at step 6"):
        trainer(tmp_path).run(ignore, save_minutes=0)
    assert trainer(tmp_path).step == 6

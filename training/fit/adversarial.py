"""The adversarial stage: a detail branch is trained, and every other weight stays as it is."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.data.dataset import Dataset
from training.fit.adversarial_objective import AdversarialObjective, Gradients, Window
from training.fit.adversarial_recipe import AdversarialRecipe
from training.fit.batches import BatchOrder, derived_seed, rows_with
from training.fit.discriminator import PatchDiscriminator
from training.fit.errors import TrainingError
from training.fit.loop import Progress, run_loop
from training.fit.saves import in_layout_of, read_save, write_save
from training.fit.schedule import ema_decay, update_average
from vae.checkpoint import Checkpoint
from vae.detail import DetailBranch
from vae.model import VAE
from vae.pixels import to_float

GRID = 8  # pixels between possible edges of a window: those of the discriminator's patches


class AdversarialTrainer:
    """Trains a detail branch against a discriminator; ``run`` resumes from the last save.

    Args:
        recipe: how.
        data: the train split.
        folder: of the saves.
        device: where to run.
        init_from: the model to which the branch is added.

    Raises:
        TrainingError: if the save belongs to another run, or no image has the label that the
            recipe balances.
    """

    def __init__(
        self,
        recipe: AdversarialRecipe,
        data: Dataset,
        folder: Path,
        device: torch.device,
        init_from: Checkpoint,
    ) -> None:
        torch.manual_seed(recipe.seed)
        torch.use_deterministic_algorithms(device.type == "cpu")
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        self.recipe, self.data, self.folder = recipe, data, folder
        self.device, self.init_from = device, init_from
        self.model = _with_branch(init_from.model, recipe.detail_channels).to(device).eval()
        self.model.requires_grad_(False).to(memory_format=torch.channels_last)
        assert self.model.detail is not None
        self.branch: DetailBranch = self.model.detail.requires_grad_(True)
        self.discriminator = PatchDiscriminator(init_from.model.config.channels).to(device).eval()
        self.discriminator.to(memory_format=torch.channels_last)
        self.averaged = {k: v.detach().clone() for k, v in self.branch.state_dict().items()}
        self._objective = AdversarialObjective(recipe, self.model, self.discriminator)
        threads = max(1, torch.get_num_threads() // recipe.shards)
        self._threads = ThreadPoolExecutor(
            recipe.shards, initializer=partial(torch.set_num_threads, threads)
        )
        self._optimizers = {
            "branch_optimizer": _adam(self.branch, recipe),
            "discriminator_optimizer": _adam(self.discriminator, recipe),
        }
        positives = rows_with(data, recipe.balance) if recipe.balance else None
        order = (len(data), recipe.batch_size, recipe.seed, positives, recipe.balance_stride)
        self._order = BatchOrder(*order)
        self.steps_per_epoch = self._order.steps_per_epoch
        self.steps = max(1, math.ceil(recipe.epochs * self.steps_per_epoch))
        self.step = 0
        self.folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    def run(
        self,
        report: Callable[[Progress], None],
        max_minutes: float = math.inf,
        save_minutes: float = 3.0,
    ) -> bool:
        """Train, calling ``report`` after every step; True if the recipe is done.

        Raises:
            TrainingError: if a loss is no longer finite; the last save stays as it was.
            Stopped: on Ctrl-C or SIGTERM, after a save.
        """
        return run_loop(self, report, max_minutes, save_minutes)

    def checkpoint(self) -> Checkpoint:
        """The averaged branch beside the initial model, whose latent space is as it was."""
        model = _with_branch(self.init_from.model, self.recipe.detail_channels)
        assert model.detail is not None
        model.detail.load_state_dict(self.averaged)
        return replace(self.init_from, model=model.eval())

    def save(self) -> None:
        """Write everything that resuming needs."""
        states = {
            "branch": self.branch.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "averaged": self.averaged,
        }
        write_save(self.folder, self.step, self._identity(), states, self._optimizers)

    def _resume(self) -> None:
        save = read_save(self.folder, self._identity(), self.device)
        if save is None:
            return
        try:
            self.branch.load_state_dict(save.state("branch"))
            self.discriminator.load_state_dict(save.state("discriminator"))
        except RuntimeError as error:
            raise TrainingError(
                f"the save in {self.folder} has other layers than this version ({error}); give "
                "another --run, or --restart"
            ) from None
        self.averaged = save.state("averaged")
        for name, optimizer in self._optimizers.items():
            [group] = optimizer.param_groups
            save.restore_optimizer(optimizer, group["params"], name)
        self.step = save.step

    def _identity(self) -> dict[str, Any]:
        """What a save must agree on with the run that resumes from it.

        Not the epochs: a run may be given more of them while its learning rates are constant.
        """
        recipe = {k: v for k, v in asdict(self.recipe).items() if k != "epochs"}
        data = self.data.fingerprint()
        return {"recipe": recipe, "data": data, "init_from": self.init_from.sha256}

    def train_step(self) -> dict[str, float]:
        """Train both networks one step: the loss terms.

        Raises:
            TrainingError: if one is no longer finite.
        """
        rng = np.random.default_rng(self._seed("step"))
        index = self._order.indices(self.step)
        images = self.recipe.augmentation(self.data.batch(index), rng)
        window = self._window(rng)
        warmup = min(1.0, self.step / max(1, self.recipe.warmup_steps))
        self.discriminator.update_spectral_norms()

        def shard(number: int, part: Tensor) -> Gradients:
            generator = torch.Generator(self.device).manual_seed(self._seed(f"noise {number}"))
            x = to_float(part.to(self.device)).contiguous(memory_format=torch.channels_last)
            return self._objective(x, generator, window, warmup)

        parts = images.chunk(self.recipe.shards)
        shards = list(self._threads.map(shard, range(len(parts)), parts))
        terms = {k: sum(s.terms[k] for s in shards) / len(shards) for k in shards[0].terms}
        if not all(map(math.isfinite, terms.values())):
            raise TrainingError(
                f"a loss is no longer finite at step {self.step} ({terms}); the last save is kept"
            )
        self._update("branch_optimizer", [s.branch for s in shards])
        self._update("discriminator_optimizer", [s.discriminator for s in shards])
        self.step += 1
        decay = ema_decay(self.recipe.ema, self.step)
        update_average(self.averaged, self.branch.state_dict(), decay)
        return terms

    def _update(self, name: str, gradients: Sequence[Sequence[Tensor]]) -> None:
        """A step of one optimizer along the mean of the shards' gradients."""
        [group] = self._optimizers[name].param_groups
        for parameter, *parts in zip(group["params"], *gradients, strict=True):
            parameter.grad = in_layout_of(parameter, torch.stack(parts).mean(0))
        peak = self.recipe.discriminator_learning_rate
        if name == "branch_optimizer":
            nn.utils.clip_grad_norm_(group["params"], self.recipe.clip)
            peak = self.recipe.learning_rate
        remaining = (1.0 - self.step / self.steps) / max(self.recipe.cooldown, 1e-9)
        group["lr"] = peak * min(1.0, remaining)
        self._optimizers[name].step()

    def _window(self, rng: np.random.Generator) -> Window:
        """Rows and columns that the discriminator sees in this step."""
        size = self.recipe.window
        positions = (self.init_from.model.config.size - size) // GRID + 1
        top, left = (GRID * int(i) for i in rng.integers(0, positions, 2))
        return slice(top, top + size), slice(left, left + size)

    def _seed(self, purpose: str) -> int:
        return derived_seed(self.recipe.seed, purpose, self.step)


def _with_branch(model: VAE, detail_channels: int) -> VAE:
    """A copy of a model, with its own detail branch or a new one, which adds nothing yet.

    Raises:
        TrainingError: if its own has another number of channels.
    """
    if model.detail is not None and model.config.detail_channels != detail_channels:
        raise TrainingError(
            f"the detail branch of --init-from has {model.config.detail_channels} channels, the "
            f"recipe {detail_channels}: give --detail-channels {model.config.detail_channels}"
        )
    branched = VAE(replace(model.config, detail_channels=detail_channels))
    branched.load_state_dict({**branched.state_dict(), **model.state_dict()})
    return branched


def _adam(module: nn.Module, recipe: AdversarialRecipe) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), betas=recipe.betas, fused=True)

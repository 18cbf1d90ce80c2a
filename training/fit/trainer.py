"""The training loop, which can be interrupted anywhere and resumed from the last save."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.analysis.attribute_classifier import label_table
from training.analysis.latent_pca import reduced_by_pca
from training.data.dataset import Dataset
from training.fit.batches import BatchOrder, derived_seed, rows_with
from training.fit.errors import TrainingError
from training.fit.loop import Progress, run_loop
from training.fit.loss import Loss, Terms, check_loss
from training.fit.presets import Recipe
from training.fit.saves import exists, read_save, run_identity, write_save
from training.fit.schedule import ema_decay, learning_rate, update_average
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint
from vae.model import VAE
from vae.pixels import to_float


def check_run(
    recipe: Recipe,
    init_from: Checkpoint | None,
    auxiliary_classifier: AttributeClassifier | None,
) -> None:
    """Check what a run needs beside its images; see ``Trainer``.

    Raises:
        TrainingError: if ``init_from`` is another network, or the recipe needs a classifier and
            there is none.
    """
    if init_from is not None:
        config, wide = recipe.model, init_from.model.config
        if replace(wide, latent_dim=min(wide.latent_dim, config.latent_dim)) != config:
            raise TrainingError(f"--init-from is another network than the recipe's: {wide}")
    try:
        check_loss(recipe.loss, recipe.model, auxiliary_classifier)
    except ValueError as error:
        raise TrainingError(str(error)) from None


class Trainer:
    """Trains a model by a recipe; ``run`` goes on to the recipe's end or until time is up."""

    def __init__(
        self,
        recipe: Recipe,
        data: Dataset,
        folder: Path,
        device: torch.device,
        init_from: Checkpoint | None = None,
        auxiliary_classifier: AttributeClassifier | None = None,
    ) -> None:
        """Build the run, and resume from the save in ``folder`` if there is one.

        Args:
            recipe: what to train and how.
            data: the train split.
            folder: of the saves.
            device: where to run.
            init_from: a checkpoint with the initial weights; if it has more latent dimensions than
                the recipe, its first principal axes (see ``training.analysis.latent_pca``).
            auxiliary_classifier: of the loss, if the recipe gives it a weight.

        Raises:
            TrainingError: if the save belongs to another run, ``init_from`` is another network, or
                the recipe needs a classifier and there is none.
        """
        torch.manual_seed(recipe.seed)
        torch.use_deterministic_algorithms(device.type == "cpu")
        self.recipe, self.data, self.folder, self.device = recipe, data, folder, device
        self.step = 0
        check_run(recipe, init_from, auxiliary_classifier)
        self.model = self._new_model().train()
        if init_from is not None and not exists(folder):
            initial = reduced_by_pca(init_from.model, data, recipe.model.latent_dim)
            self.model.load_state_dict(initial.state_dict())
        self.loss = Loss(recipe.loss, self.model, auxiliary_classifier).to(device)
        self._labels = (
            None if auxiliary_classifier is None else label_table(data, auxiliary_classifier.labels)
        )
        self._identity = run_identity(recipe, data, init_from, auxiliary_classifier)
        self.parameters = [*self.model.parameters(), *self.loss.parameters()]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        self.averaged = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        positives = rows_with(data, recipe.balance) if recipe.balance else None
        self._order = BatchOrder(len(data), recipe.batch_size, recipe.seed, positives)
        self.steps_per_epoch = self._order.steps_per_epoch
        self.steps = max(1, math.ceil(recipe.epochs * self.steps_per_epoch))
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
            TrainingError: if the loss is no longer finite; the last save stays as it was.
            Stopped: on Ctrl-C or SIGTERM, after a save.
        """
        return run_loop(self, report, max_minutes, save_minutes)

    def averaged_model(self) -> VAE:
        """The weights to keep, in eval mode: their moving average, or the last ones without EMA."""
        model = self._new_model()
        model.load_state_dict(self.averaged if self.recipe.ema else self.model.state_dict())
        return model.eval()

    def save(self) -> None:
        """Write everything that resuming needs."""
        states = {
            "model": self.model.state_dict(),
            "averaged": self.averaged,
            "loss": self.loss.state_dict(),
        }
        write_save(self.folder, self.step, self._identity, states, {"optimizer": self.optimizer})

    def _resume(self) -> None:
        save = read_save(self.folder, self._identity, self.device)
        if save is None:
            return
        self.model.load_state_dict(save.state("model"))
        self.loss.load_state_dict(save.state("loss"))
        self.averaged = save.state("averaged")
        save.restore_optimizer(self.optimizer, self.parameters, "optimizer")
        self.step = save.step

    def _new_model(self) -> VAE:
        model = VAE(self.recipe.model)
        return model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def train_step(self) -> dict[str, float]:
        """Train one step: distortion, rate and learning rate.

        Raises:
            TrainingError: if the loss is no longer finite.
        """
        seed = derived_seed(self.recipe.seed, "noise", self.step)
        generator = torch.Generator(self.device).manual_seed(seed)
        images, labels = self._batch()
        x = to_float(images.to(self.device, non_blocking=True))
        x = x.contiguous(memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            terms: Terms = self.loss(self.model, x, generator, self.step / self.steps, labels)
        terms.objective.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        self._check_finite(terms, float(norm))
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        if self.recipe.ema:
            decay = ema_decay(self.recipe.ema, self.step)
            update_average(self.averaged, self.model.state_dict(), decay)
        return {
            "distortion": float(terms.distortion),
            "rate (nats)": float(terms.rate),
            "learning rate": self._learning_rate(),
        }

    def _check_finite(self, terms: Terms, norm: float) -> None:
        if math.isfinite(float(terms.objective.detach())) and math.isfinite(norm):
            return
        raise TrainingError(
            f"the loss is no longer finite at step {self.step} (distortion "
            f"{float(terms.distortion):.4g}, rate {float(terms.rate):.4g}); the last save is "
            "kept. Try a lower --learning-rate"
        )

    def _learning_rate(self) -> float:
        return learning_rate(self.recipe, self.step, self.steps)

    def _batch(self) -> tuple[Tensor, Tensor | None]:
        """The images of this step, uint8 ``(B, S, S, C)``, and their labels for the classifier."""
        index = self._order.indices(self.step)
        seed = derived_seed(self.recipe.seed, "augmentation", self.step)
        images = self.recipe.augmentation(self.data.batch(index), np.random.default_rng(seed))
        return images, None if self._labels is None else self._labels[index].to(self.device)

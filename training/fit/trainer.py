"""The training loop: steps that can be cut off anywhere and go on from the last save.

Nothing random is kept between steps. The order of an epoch is drawn from (seed, epoch), the noise
and the augmentation of a step from (seed, step), so a run that was killed and started again ends
where an unbroken one does.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from training.analysis.attribute_classifier import AttributeClassifier, label_table
from training.analysis.latent_pca import reduced_by_pca
from training.data.sources import Dataset
from training.fit.loss import Loss, Terms
from training.fit.presets import Recipe
from vae.checkpoint import Checkpoint
from vae.model import VAE
from vae.pixels import to_float
from vae.tensor_file import write_atomically


class TrainingError(Exception):
    """A run that cannot go on; the message says why and what would help."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a step.

    Attributes:
        step: steps done.
        steps: steps of the whole run.
        seen: pictures seen.
        rate: of the last step, in nats.
        distortion: of the last step.
        epoch_ended: number of the epoch that this step ended, or None.
    """

    step: int
    steps: int
    seen: int
    distortion: float
    rate: float
    epoch_ended: int | None


class Trainer:
    """A recipe at work on a data set; ``run`` takes it to its end or to the end of the time."""

    def __init__(
        self,
        recipe: Recipe,
        data: Dataset,
        folder: Path,
        device: torch.device,
        start: Checkpoint | None = None,
        guide: AttributeClassifier | None = None,
    ) -> None:
        """Build the run, and take up the save in ``folder`` if there is one.

        Args:
            recipe: what to train and how.
            data: the train split.
            folder: where the saves are.
            device: where to run.
            start: whose weights to begin with, instead of new ones; of more latent dimensions than
                the recipe's it gives its principal axes (see ``training.analysis.latent_pca``).
            guide: the classifier that the recipe's loss asks, if it asks one.

        Raises:
            TrainingError: if the save belongs to another recipe, data, start or guide, the start to
                another network, or the recipe needs a guide and there is none.
        """
        torch.manual_seed(recipe.seed)
        torch.use_deterministic_algorithms(device.type == "cpu")
        self.recipe, self.data, self.folder, self.device = recipe, data, folder, device
        self.model = VAE(recipe.model).to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self._start = "" if start is None else start.sha256
        if start is not None:
            wide = start.model.config
            latent_dim = min(wide.latent_dim, recipe.model.latent_dim)
            if replace(wide, latent_dim=latent_dim) != recipe.model:
                raise TrainingError(f"the start is another network than the recipe's: {wide}")
            if not self._state.is_file():
                narrow = reduced_by_pca(start.model, data, latent_dim)
                self.model.load_state_dict(narrow.state_dict())
        try:
            self.loss = Loss(recipe.loss, self.model, guide).to(device)
        except ValueError as error:
            raise TrainingError(str(error)) from None
        self._guide = "" if guide is None else guide.sha256
        self._truth = None if guide is None else label_table(data, guide.labels)
        self.parameters = [*self.model.parameters(), *self.loss.parameters()]
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.averaged = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.steps_per_epoch = max(1, len(data) // recipe.batch_size)
        self.steps = max(1, math.ceil(recipe.epochs * self.steps_per_epoch))
        self.step = 0
        self._positive = self._rows_with(recipe.balance) if recipe.balance else None
        self._order: tuple[int, np.ndarray] | None = None
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._state.is_file():
            self._resume()

    @property
    def _state(self) -> Path:
        return self.folder / "state.safetensors"

    def run(
        self,
        report: Callable[[Progress], None],
        max_minutes: float = math.inf,
        save_minutes: float = 3.0,
    ) -> bool:
        """Train, calling ``report`` after every step; True if the recipe was done to its end.

        Raises:
            TrainingError: if the loss is no longer finite; the last save stays as it was.
        """
        end = time.monotonic() + 60.0 * max_minutes
        next_save = time.monotonic() + 60.0 * save_minutes
        with SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.step) as board:
            while self.step < self.steps and time.monotonic() < end:
                terms = self._train_step()
                progress = self._progress(terms)
                if self.step % 10 == 0 or progress.epoch_ended is not None:
                    board.add_scalar("distortion", progress.distortion, self.step)
                    board.add_scalar("rate (nats)", progress.rate, self.step)
                    board.add_scalar("learning rate", self._learning_rate(), self.step)
                report(progress)
                if time.monotonic() >= next_save:
                    self.save()
                    next_save = time.monotonic() + 60.0 * save_minutes
        self.save()
        return self.step >= self.steps

    def averaged_model(self) -> VAE:
        """The weights to keep, in eval mode: their moving average, or the last ones without EMA."""
        model: VAE = VAE(self.recipe.model).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        model.load_state_dict(self.averaged if self.recipe.ema else self.model.state_dict())
        return model.eval()

    def _train_step(self) -> Terms:
        generator = torch.Generator(self.device).manual_seed(self._seed("noise", self.step))
        pictures, truth = self._batch()
        x = to_float(pictures.to(self.device, non_blocking=True))
        x = x.contiguous(memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            terms: Terms = self.loss(self.model, x, generator, self.step / self.steps, truth)
        terms.objective.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        if not (math.isfinite(float(terms.objective.detach())) and math.isfinite(float(norm))):
            raise TrainingError(
                f"the loss is no longer finite at step {self.step} (distortion "
                f"{float(terms.distortion):.4g}, rate {float(terms.rate):.4g}); the last save is "
                "kept. Try a lower --learning-rate"
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self._average()
        return terms

    @torch.no_grad()
    def _average(self) -> None:
        if not self.recipe.ema:
            return
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            average = self.averaged[name]
            if average.is_floating_point():
                average.lerp_(value, 1.0 - decay)
            else:
                average.copy_(value)

    def _learning_rate(self) -> float:
        recipe = self.recipe
        warmup = min(1.0, (self.step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
        decay = 0.5 * (1.0 + math.cos(math.pi * self.step / self.steps)) if recipe.cosine else 1.0
        return recipe.learning_rate * warmup * decay

    def _batch(self) -> tuple[Tensor, Tensor | None]:
        """The pictures of this step, uint8 ``(B, S, S, C)``, and what a guide is to see in them."""
        epoch, place = divmod(self.step, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, self._epoch_order(epoch))
        size = self.recipe.batch_size
        rows = self._order[1][place * size : (place + 1) * size]
        batch = self.recipe.augmentation(
            self.data.batch(rows), np.random.default_rng(self._seed("augmentation", self.step))
        )
        return batch, None if self._truth is None else self._truth[rows].to(self.device)

    def _epoch_order(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng(self._seed("order", epoch))
        order = rng.permutation(len(self.data))
        if self._positive is not None:  # every second place goes to a picture that has the label
            order[::2] = rng.choice(self._positive, len(order[::2]))
        return order

    def _rows_with(self, label: str) -> np.ndarray:
        rows = np.flatnonzero(self.data.labels.get(label, np.zeros(0)) > 0.5)
        if not len(rows):
            raise TrainingError(f"no train picture has label {label!r}, which the recipe balances")
        return rows

    def _seed(self, purpose: str, index: int) -> int:
        text = f"{self.recipe.seed} {purpose} {index}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")

    def _progress(self, terms: Terms) -> Progress:
        ended = self.step % self.steps_per_epoch == 0 or self.step == self.steps
        return Progress(
            step=self.step,
            steps=self.steps,
            seen=self.step * self.recipe.batch_size,
            distortion=float(terms.distortion),
            rate=float(terms.rate),
            epoch_ended=math.ceil(self.step / self.steps_per_epoch) if ended else None,
        )

    def _identity(self) -> str:
        """What a save must agree on with the run that takes it up."""
        more = {k: v for k, v in (("start", self._start), ("guide", self._guide)) if v}
        return json.dumps({"recipe": asdict(self.recipe), "data": self.data.sha256} | more)

    def save(self) -> None:
        """Write the whole state in one step; a kill at any moment leaves a good save."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"averaged.{k}": v for k, v in self.averaged.items()}
        tensors |= {f"loss.{k}": v for k, v in self.loss.state_dict().items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{k}": v for k, v in state.items()}
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        metadata = {"identity": self._identity(), "step": str(self.step)}
        write_atomically(self._state, tensors, metadata)

    def _resume(self) -> None:
        with safe_open(self._state, framework="pt", device=str(self.device)) as reader:
            metadata = reader.metadata()
            tensors = {k: reader.get_tensor(k) for k in reader.keys()}  # noqa: SIM118
        if metadata["identity"] != self._identity():
            raise TrainingError(
                f"{self.folder} holds a run of another recipe, or other data, start or guide; "
                "choose another --run folder, or begin anew with --restart"
            )

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.model.load_state_dict(part("model."))
        self.loss.load_state_dict(part("loss."))
        self.averaged = part("averaged.")
        state = self.optimizer.state_dict()
        state["state"] = {
            i: {k: _laid_out_as(p, v) for k, v in part(f"optimizer.{i}.").items()}
            for i, p in enumerate(self.parameters)
        }
        self.optimizer.load_state_dict(state)
        self.step = int(metadata["step"])


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """A moment in its parameter's memory order, which the fused step takes for granted."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter).copy_(value)

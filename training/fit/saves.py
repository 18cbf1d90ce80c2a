"""Saves of a run: everything that resuming needs, in one safetensors file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from training.data.dataset import Dataset
from training.fit.errors import TrainingError
from training.fit.presets import Recipe
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint
from vae.tensor_file import write_atomically

FILE = "state.safetensors"
WHAT = {  # a run's identity, in words
    "data.images": "the pixels of the images",
    "data.split": "which images are in the train split",
    "data.labels": "the labels",
    "init_from": "the checkpoint of --init-from",
    "auxiliary_classifier": "the classifier of --auxiliary-classifier",
}


@dataclass(frozen=True)
class Save:
    """A save that was read.

    Attributes:
        step: steps done.
        tensors: by name, with the prefix of what they belong to.
    """

    step: int
    tensors: dict[str, Tensor]

    def state(self, prefix: str) -> dict[str, Tensor]:
        """The tensors of one prefix, without it: a state dict."""
        start = f"{prefix}."
        return {k.removeprefix(start): v for k, v in self.tensors.items() if k.startswith(start)}

    def restore_optimizer(
        self, optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], prefix: str
    ) -> None:
        """Give an optimizer its moments back."""
        state = optimizer.state_dict()
        state["state"] = {
            i: {k: in_layout_of(p, v) for k, v in self.state(f"{prefix}.{i}").items()}
            for i, p in enumerate(parameters)
        }
        optimizer.load_state_dict(state)


def run_identity(
    recipe: Recipe,
    data: Dataset,
    init_from: Checkpoint | None,
    auxiliary_classifier: AttributeClassifier | None,
) -> dict[str, Any]:
    """What a save must agree on with the run that resumes from it."""
    return {
        "recipe": asdict(recipe),
        "data": data.fingerprint(),
        "init_from": None if init_from is None else init_from.sha256,
        "auxiliary_classifier": (
            None if auxiliary_classifier is None else auxiliary_classifier.sha256
        ),
    }


def write_save(
    folder: Path,
    step: int,
    identity: Mapping[str, Any],
    states: Mapping[str, Mapping[str, Tensor]],
    optimizers: Mapping[str, torch.optim.Optimizer],
) -> None:
    """Write a save in one step: a process killed at any moment leaves a complete one.

    Args:
        folder: of the run.
        step: steps done.
        identity: what a run that resumes must agree on, as JSON values.
        states: state dicts by prefix.
        optimizers: likewise.
    """
    tensors = {f"{prefix}.{k}": v for prefix, state in states.items() for k, v in state.items()}
    for prefix, optimizer in optimizers.items():
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{prefix}.{i}.{k}": v for k, v in state.items()}
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    metadata = {"identity": json.dumps(identity), "step": str(step)}
    write_atomically(folder / FILE, tensors, metadata)


def read_save(folder: Path, identity: Mapping[str, Any], device: torch.device) -> Save | None:
    """The save in a folder, or None if there is none.

    Raises:
        TrainingError: if it belongs to another run; it says what differs.
    """
    if not (folder / FILE).is_file():
        return None
    with safe_open(folder / FILE, framework="pt", device=str(device)) as reader:
        metadata = reader.metadata()
        differences = _differences(json.loads(metadata["identity"]), identity)
        if differences:
            raise TrainingError(
                f"{folder} holds a run that differs in {'; '.join(differences)}. Choose another "
                "--run folder, or begin anew with --restart"
            )
        tensors = {k: reader.get_tensor(k) for k in reader.keys()}  # noqa: SIM118
    return Save(int(metadata["step"]), tensors)


def _differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    before, now = _flat(saved), _flat(json.loads(json.dumps(current)))
    names = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    return [
        WHAT.get(name) or f"{name} ({before.get(name)} there, {now.get(name)} now)"
        for name in names
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, with dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= (
            _flat(value, f"{prefix}{name}.")
            if isinstance(value, dict)
            else {f"{prefix}{name}": value}
        )
    return flat


def in_layout_of(parameter: Tensor, value: Tensor) -> Tensor:
    """A gradient or moment in its parameter's memory order, which fused optimizers rely on."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter).copy_(value)

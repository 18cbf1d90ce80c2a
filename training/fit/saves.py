"""Saves of a run: everything that resuming needs. The last two are kept."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from training.data.dataset import Dataset
from training.fit.errors import TrainingError
from training.fit.presets import Recipe
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint
from vae.tensor_file import write_atomically

log = logging.getLogger(__name__)

FILE = "state.safetensors"
PREVIOUS = "state.previous.safetensors"  # the save before it
NEXT = "state.next.safetensors"  # a save that is whole, but does not have its name yet
FILES = (FILE, PREVIOUS, NEXT)
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
    """Write a save, and keep the one before it.

    A process that is killed at any moment, and a disk that is full, leave a complete save.

    Args:
        folder: of the run.
        step: steps done.
        identity: what a run that resumes must agree on, as JSON values.
        states: state dicts by prefix.
        optimizers: likewise.

    Raises:
        OSError: if it cannot be written; the saves that there are stay.
    """
    tensors = {f"{prefix}.{k}": v for prefix, state in states.items() for k, v in state.items()}
    for prefix, optimizer in optimizers.items():
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{prefix}.{i}.{k}": v for k, v in state.items()}
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    metadata = {"identity": json.dumps(identity), "step": str(step)}
    metadata["sha256"] = _digest(metadata, tensors)
    write_atomically(folder / NEXT, tensors, metadata)
    _rotate(folder)


def _rotate(folder: Path) -> None:
    """Give the next save its name, and the save that had it the name of the previous one."""
    if (folder / FILE).is_file():
        (folder / FILE).replace(folder / PREVIOUS)
    (folder / NEXT).replace(folder / FILE)


def exists(folder: Path) -> bool:
    """Whether there is a save in a folder."""
    return any((folder / name).is_file() for name in FILES)


def last_step(folder: Path) -> int | None:
    """The number of steps of the last save, or None if no save can be read."""
    for name in (NEXT, FILE, PREVIOUS):
        try:
            with safe_open(folder / name, framework="pt") as reader:
                return int(reader.metadata()["step"])
        except (OSError, SafetensorError, TypeError, KeyError, ValueError):
            continue
    return None


def read_save(folder: Path, identity: Mapping[str, Any], device: torch.device) -> Save | None:
    """The last save in a folder that is not damaged, or None if there is none.

    A warning names a damaged save. The one before it takes its place.

    Raises:
        TrainingError: if it belongs to another run (it says what differs), or all are damaged.
    """
    if (folder / NEXT).is_file():  # the process was killed before it had its name
        _rotate(folder)
    if (folder / FILE).is_file():
        try:
            return _read(folder, FILE, identity, device)
        except _DamagedError as error:
            log.warning("the save %s is damaged: %s", folder / FILE, error)
    elif not exists(folder):
        return None
    try:
        save = _read(folder, PREVIOUS, identity, device)
    except (_DamagedError, FileNotFoundError):
        raise TrainingError(
            f"no save in {folder} can be read: choose another --run folder, or begin anew with "
            "--restart"
        ) from None
    log.warning("resuming from the save before it, of step %d", save.step)
    (folder / PREVIOUS).replace(folder / FILE)
    return save


class _DamagedError(Exception):
    """A file that is not as it was written; the message says how that was noticed."""


def _read(folder: Path, name: str, identity: Mapping[str, Any], device: torch.device) -> Save:
    try:
        with safe_open(folder / name, framework="pt") as reader:
            metadata = reader.metadata() or {}
            tensors = {k: reader.get_tensor(k) for k in reader.keys()}  # noqa: SIM118
        saved, step = json.loads(metadata["identity"]), int(metadata["step"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise _DamagedError(f"it cannot be read ({error})") from None
    if metadata.get("sha256") not in (None, _digest(metadata, tensors)):  # older saves have none
        raise _DamagedError("its checksum is another")
    differences = _differences(saved, identity)
    if differences:
        raise TrainingError(
            f"{folder} holds a run that differs in {'; '.join(differences)}. Choose another "
            "--run folder, or begin anew with --restart"
        )
    return Save(step, {k: v.to(device) for k, v in tensors.items()})


def _digest(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """The hash of a save: its identity, its step, and the names and bytes of its tensors."""
    digest = hashlib.sha256(f"{metadata['identity']} {metadata['step']}".encode())
    for name in sorted(tensors):
        digest.update(name.encode() + b"\0")
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


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

"""Two saves are kept, and a damaged one gives way to the one before it."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from tests.training.fit.trainer_runs import ignore, same, stop_after, trainer, weights
from training.fit import saves
from training.fit.errors import TrainingError


def interrupted(folder: Path) -> Path:
    """A run with saves of its fifth and sixth step; returns the latter."""
    with pytest.raises(KeyboardInterrupt):
        trainer(folder).run(stop_after(6), save_minutes=0)
    return folder / saves.FILE


def step_of(file: Path) -> int:
    with safe_open(file, framework="pt") as reader:
        return int(reader.metadata()["step"])


def truncate(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def zero(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def flip_one_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1000] ^= 1
    file.write_bytes(content)


def change_the_step(file: Path) -> None:
    content = file.read_bytes()
    assert b'"step":"6"' in content
    file.write_bytes(content.replace(b'"step":"6"', b'"step":"9"'))


def drop_the_metadata(file: Path) -> None:
    with safe_open(file, framework="pt") as reader:
        tensors = {name: reader.get_tensor(name) for name in reader.keys()}  # noqa: SIM118
    save_file(tensors, file)


DAMAGE = [truncate, empty, zero, flip_one_bit, change_the_step, drop_the_metadata]


def test_the_last_two_saves_are_kept(tmp_path: Path) -> None:
    file = interrupted(tmp_path)
    assert step_of(file) == 6
    assert step_of(tmp_path / saves.PREVIOUS) == 5
    assert saves.last_step(tmp_path) == 6
    assert not (tmp_path / saves.NEXT).exists()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_save_falls_back_to_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    uninterrupted = trainer(tmp_path / "uninterrupted")
    uninterrupted.run(ignore)
    file = interrupted(tmp_path / "run")
    damage(file)
    with caplog.at_level(logging.WARNING):
        again = trainer(tmp_path / "run")
    assert again.step == 5
    assert f"the save {file} is damaged: " in caplog.text
    assert "resuming from the save before it, of step 5" in caplog.text
    assert step_of(file) == 5  # so that the next save does not take the damaged one for whole
    again.run(ignore)
    assert same(weights(again), weights(uninterrupted))
    assert step_of(tmp_path / "run" / saves.PREVIOUS) == 5


def test_when_both_are_damaged_nothing_is_begun_anew(tmp_path: Path) -> None:
    file = interrupted(tmp_path)
    for damaged in (file, tmp_path / saves.PREVIOUS):
        truncate(damaged)
    with pytest.raises(TrainingError, match=r"no save in .* can be read: .* --restart"):
        trainer(tmp_path)
    assert file.is_file()


def test_a_save_of_an_older_version_has_no_checksum(tmp_path: Path) -> None:
    file = interrupted(tmp_path)
    with safe_open(file, framework="pt") as reader:
        tensors = {name: reader.get_tensor(name) for name in reader.keys()}  # noqa: SIM118
        metadata = {k: v for k, v in reader.metadata().items() if k != "sha256"}
    save_file(tensors, file, metadata)
    assert trainer(tmp_path).step == 6


@pytest.mark.parametrize("killed", ["before the first rename", "between the renames"])
def test_a_process_killed_while_it_names_a_save_loses_none(tmp_path: Path, killed: str) -> None:
    file = interrupted(tmp_path)
    file.rename(tmp_path / saves.NEXT)
    if killed == "before the first rename":
        (tmp_path / saves.PREVIOUS).rename(file)
    assert saves.last_step(tmp_path) == 6
    assert trainer(tmp_path).step == 6
    assert step_of(tmp_path / saves.PREVIOUS) == 5

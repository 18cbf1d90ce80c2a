import io
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tests.training import sources
from training.cli import commands


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit status."""

    exit_code: int
    output: str


Command = Callable[..., Result]


@pytest.fixture(scope="package", autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """One thread, since on tensors this small they only wait; and training's switches undone."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def run_training(arguments: list[str]) -> Result:
    """Run ``python -m training`` in this process; an unexpected exception comes through."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            commands.main(arguments)
            status = 0
        except SystemExit as stopped:
            status = int(stopped.code or 0)
    return Result(status, printed.getvalue())


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run ``python -m training`` with these arguments, in this process."""

    def run(*words: object) -> Result:
        arguments = [str(word) for word in words]
        monkeypatch.setattr(sys, "argv", ["training", *arguments])
        return run_training(arguments)

    return run


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("faces") / "faces.zip"
    sources.faces(file)
    return file


@pytest.fixture(scope="session")
def avatars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few avatars, as the command draws them."""
    folder = tmp_path_factory.mktemp("drawn") / "avatars"
    words = ["avatars", "--out", str(folder), "-n", "12", "--test", "6", "--workers", "2"]
    result = run_training(words)
    assert result.exit_code == 0, result.output
    return folder

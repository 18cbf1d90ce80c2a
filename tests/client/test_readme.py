"""The README of the client works as printed."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from lorgnette_client.command_line.arguments import parser

README = (Path(__file__).parents[2] / "client" / "README.md").read_text()
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ lorgnette (.*)$", README, re.MULTILINE)]


def test_the_program(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [program] = BLOCK.findall(README)
    names: dict[str, bytes] = {}
    exec(program.replace("http://localhost:8000", url), names)
    assert names["gif"].startswith(b"GIF8")
    with Image.open("person.png") as before, Image.open("glasses.png") as after:
        assert before.tobytes() != after.tobytes()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_commands(words: list[str]) -> None:
    assert parser().parse_args(words).command == words[0]


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 5

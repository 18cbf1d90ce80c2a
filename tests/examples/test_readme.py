"""The commands of the examples' README work as printed, apart from the address of the service."""

import re
import shlex
from pathlib import Path

from tests.examples.scripts import EXAMPLES, pixels, run, sampled
from tests.photographs import astronaut, without_face

COMMAND = re.compile(r"^\$ \.venv/bin/python examples/(.+)\n((?:#.+\n)?)", re.MULTILINE)


def test_every_command_works(faces: str, tmp_path: Path) -> None:
    astronaut().save(tmp_path / "customer.jpg")
    for name, seed in {"worn": 34, "black": 37, "white": 26, "plain": 11}.items():
        sampled(faces, seed).save(tmp_path / f"{name}.jpg")
    without_face("coffee").save(tmp_path / "coffee.jpg")
    (tmp_path / "portraits").mkdir()
    astronaut().save(tmp_path / "portraits" / "1.jpg")
    commands = COMMAND.findall((EXAMPLES / "README.md").read_text())
    assert len(commands) >= 9
    for command, printed in commands:
        name, *arguments = shlex.split(command)
        process = run(name, faces, *arguments, cwd=tmp_path)
        assert process.stderr == printed
        assert process.returncode == (1 if printed else 0)
        if name == "odd_picture.py":
            assert process.stdout.endswith("The odd picture out is 1.jpg\n")
        elif not printed:
            assert pixels(tmp_path / arguments[-1]).std() > 20


def test_every_example_is_in_it() -> None:
    text = (EXAMPLES / "README.md").read_text()
    for file in EXAMPLES.glob("*.py"):
        assert f"]({file.name})" in text, file.name

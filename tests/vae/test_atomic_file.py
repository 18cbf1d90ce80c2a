from pathlib import Path

import pytest

from vae.atomic_file import atomic_write, remove_partial


def interrupt_after(_: int) -> None:
    raise KeyboardInterrupt


def test_a_body_that_raises_leaves_the_old_content(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_write(file) as opened:
        interrupt_after(opened.write(b"new"))
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_an_error_names_the_file_and_keeps_its_number(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full") as raised, atomic_write(tmp_path / "file"):
        raise OSError(28, "full")
    assert raised.value.errno == 28
    assert raised.value.filename == str(tmp_path / "file")


def test_an_error_of_another_file_names_that_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised, atomic_write(tmp_path / "file"):
        (tmp_path / "absent").read_bytes()
    assert raised.value.filename == str(tmp_path / "absent")


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = {tmp_path / name for name in ("file", ".other.1", ".file", "file.1")}
    for path in (*kept, tmp_path / ".file.123"):
        path.touch()
    remove_partial(tmp_path / "file")
    assert set(tmp_path.iterdir()) == kept

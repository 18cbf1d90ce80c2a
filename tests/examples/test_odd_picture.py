"""The odd picture out, among generated faces and among drawings."""

from pathlib import Path

import pytest

from tests.app.processes import free_port
from tests.examples.scripts import drawing, portraits, run, sampled
from tests.photographs import astronaut, without_face


def lines(url: str, folder: Path, *options: str) -> tuple[list[list[str]], str]:
    """The list of pictures, each as name, percentile and ELBO, and the last line."""
    process = run("odd_picture.py", url, folder, *options)
    assert (process.returncode, process.stderr) == (0, "")
    *listed, last = process.stdout.splitlines()
    return [line.split("\t") for line in listed], last


def test_a_landscape_among_faces(faces: str, tmp_path: Path) -> None:
    for seed in range(4):
        sampled(faces, seed).save(tmp_path / f"face {seed}.png")
    without_face("coffee").resize((256, 256)).save(tmp_path / "coffee.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    listed, last = lines(faces, tmp_path, "--align", "false")
    assert last == "The odd picture out is coffee.png"
    assert {name for name, _, _ in listed} == {"coffee.png", *(f"face {i}.png" for i in range(4))}
    bounds = [float(elbo) for _, _, elbo in listed]
    assert bounds == sorted(bounds)
    percentiles = [float(percentile) for _, percentile, _ in listed]
    assert percentiles == sorted(percentiles, reverse=True)
    assert percentiles[0] == 100
    assert max(percentiles[1:]) < 100


def test_a_face_among_drawings(avatars: str, tmp_path: Path) -> None:
    for identity in range(3):
        drawing(portraits(identity)[0], tmp_path / f"{identity}.png")
    astronaut().save(tmp_path / "astronaut.png")
    assert lines(avatars, tmp_path)[1] == "The odd picture out is astronaut.png"


def test_a_picture_that_is_refused_is_named_and_left_out(faces: str, tmp_path: Path) -> None:
    astronaut().save(tmp_path / "a.png")
    without_face("coffee").save(tmp_path / "coffee.png")
    (tmp_path / "text.png").write_text("not an image")
    process = run("odd_picture.py", faces, tmp_path)
    assert process.returncode == 0
    assert process.stdout.splitlines()[-1] == "The odd picture out is a.png"
    coffee, text = process.stderr.splitlines()
    assert coffee.startswith(f"{tmp_path / 'coffee.png'}: #/image/0: no face was found")
    assert text.startswith(f"{tmp_path / 'text.png'}: #/image/0: ")


@pytest.mark.parametrize("folder", ["none", "."])
def test_a_folder_without_pictures(faces: str, tmp_path: Path, folder: str) -> None:
    process = run("odd_picture.py", faces, folder, cwd=tmp_path)
    assert (process.returncode, process.stdout) == (1, "")
    assert "Traceback" not in process.stderr
    assert process.stderr.startswith("[Errno 2]" if folder == "none" else ".: no picture")


def test_a_service_that_does_not_run(tmp_path: Path) -> None:
    astronaut().save(tmp_path / "a.png")
    url = f"http://127.0.0.1:{free_port()}"
    process = run("odd_picture.py", url, tmp_path)
    assert (process.returncode, process.stderr.startswith(f"{url}: ")) == (1, True)

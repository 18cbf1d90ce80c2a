"""The command line against the real service."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from lorgnette_client import Client
from lorgnette_client.command_line.main import main
from tests.app.conftest import DIM, SIZE, random_image
from tests.app.processes import free_port
from tests.client.stub_server import Reply, stub_server
from tests.photographs import astronaut

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the service, with files named in a folder of its own."""

    def run(*words: object, url: str = url) -> tuple[int, str, str]:
        status = main(["--url", url, *map(str, words)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With two images, one of them in a folder below, and a file that is none."""
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    random_image(1).save(folder / "b.png")
    random_image(2).save(folder / "more" / "c.JPG")
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    astronaut().save(tmp_path / "astronaut.png")
    return tmp_path / "astronaut.png"


def test_sample(run: Run, tmp_path: Path, url: str) -> None:
    out = tmp_path / "s.png"
    assert run("sample", "-n", 6, "--seed", 4, "-o", out) == (0, "", "")
    with Client(url) as client:
        assert out.read_bytes() == client.sample(n=6, seed=4, format="png")
    with Image.open(out) as image:
        assert image.size == (3 * SIZE, 2 * SIZE)


def test_edit_gives_the_photograph_where_the_model_aligns(
    run: Run, tmp_path: Path, photograph: Path
) -> None:
    out = tmp_path / "out.jpg"
    assert run("--model", "aligned", "edit", photograph, "+ glasses", "-o", out) == (0, "", "")
    with Image.open(out) as image:
        assert (image.format, image.size) == ("JPEG", astronaut().size)


def test_edit_gives_the_image_where_the_model_does_not(
    run: Run, tmp_path: Path, photograph: Path, url: str
) -> None:
    out, other = tmp_path / "out.png", tmp_path / "other.png"
    random_image(5).save(other)
    expression = "me - glasses(me) + 0.5*her"
    words = ("edit", photograph, expression, "--operand", f"her={other}", "--strength", "0.5")
    assert run(*words, "-o", out) == (0, "", "")
    with Client(url) as client:
        operands = {"me": photograph, "her": other}
        expected = client.arithmetic(expression, operands, format="png", strength=0.5)
    assert out.read_bytes() == expected
    run("edit", photograph, "- glasses", "-o", out)
    with Client(url) as client:
        operands = {"me": photograph}
        assert out.read_bytes() == client.arithmetic("me - glasses", operands, format="png")


def test_morph(run: Run, tmp_path: Path, folder: Path) -> None:
    first, last, out = folder / "b.png", folder / "more" / "c.JPG", tmp_path / "m.gif"
    words = ("morph", first, last, first, "--steps", 5, "--fps", 5, "--bounce", "-o", out)
    assert run(*words) == (0, "", "")
    with Image.open(out) as image:
        assert (image.format, image.info["duration"]) == ("GIF", 200)
        assert len(list(ImageSequence.Iterator(image))) == 8


def test_faces(run: Run, photograph: Path, folder: Path) -> None:
    status, printed, errors = run("faces", photograph, folder / "b.png")
    name, number, score, box = printed.strip().split("\t")
    assert (status, name, number) == (0, str(photograph), "1")
    assert 0.5 < float(score) <= 1
    assert len(box.split()) == 4
    assert errors == f"{folder / 'b.png'}: no face\n"


def test_inpaint(run: Run, tmp_path: Path, folder: Path, url: str) -> None:
    out, mask = tmp_path / "out.png", tmp_path / "mask.png"
    half = Image.new("L", (SIZE, SIZE))
    half.paste(255, (0, 0, SIZE // 2, SIZE))
    half.save(mask)
    words = ("--model", "aligned", "inpaint", folder / "b.png", mask, "-n", 2, "--seed", 5)
    assert run(*words, "--no-align", "-o", out) == (0, "", "")
    with Client(url) as client:
        same = client.inpaint(
            folder / "b.png", mask, n=2, seed=5, format="png", model="aligned", align=False
        )
    assert out.read_bytes() == same
    status, _, errors = run(*words, "-o", out)
    assert (status, "no face was found" in errors) == (1, True)


def test_score(run: Run, folder: Path, url: str) -> None:
    (folder / "a.png").write_text("broken")
    status, printed, errors = run("--model", "grey", "score", folder)
    lines = [line.split("\t") for line in printed.splitlines()]
    names = [folder / "b.png", folder / "more" / "c.JPG"]
    assert [line[0] for line in lines] == list(map(str, names))
    with Client(url) as client:
        found = client.score(names, model="grey").scores
    for (_, percentile, elbo, mse), score in zip(lines, found, strict=True):
        assert score.percentile is not None
        assert float(percentile) == pytest.approx(score.percentile, abs=1)
        assert float(elbo) == pytest.approx(score.elbo_nats, rel=0.02)
        assert float(mse) == pytest.approx(score.mse, rel=0.02)
    assert (status, errors.startswith(f"{folder / 'a.png'}: ")) == (0, True)
    status, printed, _ = run("score", "--no-align", names[0])
    assert (status, printed.split("\t")[1]) == (0, "")


def test_encode(run: Run, tmp_path: Path, folder: Path, url: str) -> None:
    out = tmp_path / "latents.npy"
    assert run("encode", folder, "-o", out) == (0, "", "")
    names = [folder / "b.png", folder / "more" / "c.JPG"]
    assert out.with_suffix(".txt").read_text().splitlines() == list(map(str, names))
    latents = np.load(out)
    assert (latents.shape, latents.dtype) == ((2, DIM), np.float32)
    with Client(url) as client:
        assert latents == pytest.approx(client.encode(names).mean, abs=1e-4)
    assert run("encode", names[0], "-o", out)[0] == 0
    assert np.load(out).shape == (1, DIM)


def test_encode_stops_at_an_image_that_is_refused_or_leaves_it_out(
    run: Run, tmp_path: Path, folder: Path
) -> None:
    out = tmp_path / "latents.npy"
    (folder / "a.png").write_text("broken")
    status, _, errors = run("encode", folder, "-o", out)
    assert (status, errors.count("\n"), out.exists()) == (1, 1, False)
    assert errors.startswith(f"lorgnette: {folder / 'a.png'}: ")
    status, _, errors = run("encode", folder, "--skip", "-o", out)
    assert (status, errors.count("\n")) == (0, 1)
    assert errors.startswith(f"{folder / 'a.png'}: ")
    assert np.load(out).shape == (2, DIM)


def test_encode_shows_its_progress_on_a_terminal(
    run: Run, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    status, _, errors = run("encode", folder, "-o", tmp_path / "latents.npy")
    assert status == 0
    assert "1/2, " in errors
    assert "2/2, " in errors


def test_directions(run: Run) -> None:
    status, printed, errors = run("directions")
    assert (status, errors) == (0, "")
    assert "glasses\tglasses: from without to with\n" in printed


def test_reload(run: Run) -> None:
    status, printed, errors = run("reload", "grey")
    assert (status, errors) == (0, "")
    assert printed.startswith("unchanged\tgrey@")
    assert "no model 'none'" in run("reload", "none")[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sample", "-n", "65", "-o", "s.png"), "#/n: "),
        (("sample", "--size", "64", "-o", "s.npy"), "#/size: "),
        (("--model", "none", "sample", "-o", "s.png"), "none"),
        (("edit", "none.jpg", "+ glasses", "-o", "s.png"), "none.jpg"),
        (("encode", ".", "-o", "s.npy"), "no images"),
    ],
)
def test_an_error_is_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, printed, errors = run(*words)
    assert (status, printed, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("lorgnette: ")
    assert message in errors
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_is_not_there_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorgnette_client.retries.FIRST_DELAY", 0.0)
    address = f"http://127.0.0.1:{free_port()}"
    status, _, errors = run("directions", url=address)
    assert (status, errors.count("\n")) == (1, 1)
    assert errors.startswith(f"lorgnette: {address}: ")
    assert run("directions", url="here")[0] == 1


def test_the_key_is_taken_from_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORGNETTE_API_KEY", "secret")
    body = b'{"model": "m", "complete": true, "directions": []}'
    with stub_server(Reply(200, body=body)) as server:
        assert run("directions", url=server.url) == (0, "", "")
    assert server.received[0][2]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sample",), "-o"),
        (("sample", "-o", "s.txt"), "s.txt: the name must end in .png"),
        (("sample", "-o", "none/s.png"), "none is not a folder"),
        (("edit", "a", "b", "-o", "s.gif"), "must end in"),
        (("edit", "a", "b", "-o", "s.png", "--operand", "her"), "'her' is not NAME=FILE"),
        ((), "COMMAND"),
    ],
)
def test_wrong_arguments_are_explained(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err

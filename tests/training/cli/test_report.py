"""The report of ``fit``: one page beside its images, the losses of the run, and TensorBoard."""

import errno
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from tests.training.cli.test_commands import fit
from tests.training.conftest import Command, run_training
from training.fit import loss_log

LICENCE = (
    '<script src="http://example.com/a.js"></script> ![x](http://example.com/x.png) '
    "[y](http://example.com) <http://example.com> & more"
)
REFERENCES = {"src", "href", "srcset", "data", "action", "poster", "background"}


class Page(HTMLParser):
    """The tags, references and text of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.references: list[str] = []
        self.text = ""
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.references += [value or "" for name, value in attrs if name in REFERENCES]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    folder = tmp_path_factory.mktemp("report")
    out = folder / "out & <b>"
    words = ["--run", folder / "run", "--epochs", 4, "--licence", LICENCE]
    result = run_training([str(word) for word in fit(faces, out, *words)])
    assert result.exit_code == 0, result.output
    return out


def test_the_page_shows_the_images_of_its_folder_and_nothing_else(out: Path) -> None:
    report = out / "report"
    page = Page(report / "index.html")
    images = {file.name for file in report.iterdir()} - {"index.html"}
    assert {"losses.png", "reconstructions.png", "samples.png"} <= images
    assert sorted(page.references) == sorted(images)
    assert not page.tags & {"script", "a", "iframe", "object", "b"}
    assert "url(" not in (report / "index.html").read_text()


def test_the_page_has_what_the_card_has_as_text(out: Path) -> None:
    page = Page(out / "report" / "index.html")
    assert "PSNR of reconstructions" in page.text
    assert "glasses: from without to with" in page.text
    assert LICENCE in page.text
    assert "out & <b>" in page.text
    assert {"table", "h2", "figure", "title"} <= page.tags


def test_the_curves_have_a_panel_for_each_term(out: Path) -> None:
    with Image.open(out / "report" / "losses.png") as image:
        assert image.width > 2.5 * image.height  # three in a row
        assert len(image.convert("RGB").getcolors(1 << 24) or []) > 50
    assert "](report/losses.png)" in (out / "README.md").read_text()


def test_a_card_is_written_anew_with_its_page(out: Path, command: Command) -> None:
    page = out / "report" / "index.html"
    before = page.read_text()
    page.unlink()
    assert command("card", "--model", out).exit_code == 0
    assert page.read_text() == before


@pytest.mark.parametrize("name", ["README.md", "report/index.html"])
def test_a_card_that_cannot_be_written_stays_as_it_was(
    out: Path, command: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    replace = Path.replace

    def on_a_full_disk(self: Path, target: Path) -> Path:
        if target == out / name:
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", on_a_full_disk)
    result = command("card", "--model", out)
    assert result.exit_code == 1
    assert f"No space left on device: '{out / name}'" in " ".join(result.output.split())
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before


def test_a_run_without_a_step_has_no_curves(tmp_path: Path, faces: Path, command: Command) -> None:
    words = ["--run", tmp_path / "run", "--max-minutes", 0]
    assert command(*fit(faces, tmp_path / "out", *words)).exit_code == 0
    assert not (tmp_path / "out" / "report" / "losses.png").exists()
    assert "losses.png" not in (tmp_path / "out" / "report" / "index.html").read_text()


def test_tensorboard_is_written_on_request(tmp_path: Path, faces: Path, command: Command) -> None:
    run = tmp_path / "run"
    words = fit(faces, tmp_path / "out", "--run", run)
    command(*words)
    assert [entry["step"] for entry in loss_log.read(run)] == [4]
    assert not (run / "tensorboard").exists()
    command(*words, "--restart", "--tensorboard")
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    command(*words, "--restart")
    assert not (run / "tensorboard").exists()
    assert [entry["step"] for entry in loss_log.read(run)] == [4]

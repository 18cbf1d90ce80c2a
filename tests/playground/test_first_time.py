"""The way of somebody who opens the page for the first time with a photograph at hand."""

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.app.conftest import file
from tests.photographs import FACE_CENTRE, FACE_WIDTH, LANDMARKS, astronaut, without_face
from tests.playground.actions import drop, edited, slider
from tests.playground.conftest import OpenPage


def download(page: Page, button: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_bytes()


def test_glasses_on_a_photograph(
    faces: str, open_page: OpenPage, width: int, tmp_path: Path
) -> None:
    page = open_page(faces, width)
    photograph = file(astronaut())
    drop(page, "astronaut.png", photograph)
    page.get_by_role("button", name="Face 1", exact=True).wait_for()
    slider(page, "glasses").fill("1.5")
    edited(page)
    page.get_by_label("Format").select_option("png")
    saved = download(page, "Download at full size")

    before = np.asarray(astronaut()).astype(int)
    after = np.asarray(Image.open(io.BytesIO(saved))).astype(int)
    assert after.shape == before.shape
    change = np.abs(after - before).max(2)
    y, x = np.indices(change.shape)
    away = np.maximum(abs(x - FACE_CENTRE[0]), abs(y - FACE_CENTRE[1])) > FACE_WIDTH
    assert (change[away] == 0).all()  # the photograph's own
    eyes, mouth = [  # around each pair of points, 31 pixels high
        change[int(ys.min()) - 15 : int(ys.max()) + 16, int(xs.min()) : int(xs.max())].mean()
        for xs, ys in (LANDMARKS[:2].T, LANDMARKS[3:].T)
    ]
    assert eyes > 3 * mouth

    (tmp_path / "astronaut.png").write_bytes(photograph)
    command = page.locator(".curl code").first.inner_text()
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True)
    again = np.asarray(Image.open(tmp_path / "edited.png")).astype(int)
    difference = np.abs(again - after).mean()  # another batch, so another rounding
    assert difference < 0.1 * change.mean()


def test_a_picture_without_a_face_is_explained(faces: str, open_page: OpenPage) -> None:
    page = open_page(faces)
    drop(page, "coffee.png", file(without_face("coffee")))
    page.get_by_text("No face was found in coffee.png").wait_for()
    page.get_by_role("button", name="Use its centre as it is").click()
    page.get_by_role("button", name="Edit coffee.png", pressed=True).wait_for()


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("broken.png", file(astronaut())[:5000], "The image file is damaged."),
        ("text.png", b"not an image", "This kind of file cannot be read."),
    ],
)
def test_a_file_that_is_no_image_is_explained(
    faces: str, open_page: OpenPage, name: str, data: bytes, text: str
) -> None:
    page = open_page(faces)
    page.get_by_role("button", name="Edit Face 24").wait_for()
    drop(page, name, data)
    alert = page.get_by_role("alert").filter(has_text=text)
    alert.wait_for()
    page.get_by_role("button", name="Close").click()
    alert.wait_for(state="hidden")

"""Each tab, and the way of a first visit, at the width of a desk and of a phone."""

import io
import re
import statistics
import subprocess
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Request, expect

from tests.app.conftest import apart, file, ok
from tests.app.conftest import pixels as pixels_of
from tests.photographs import FACE_CENTRE, FACE_WIDTH, LANDMARKS, astronaut, without_face
from tests.playground.actions import (
    Pixels,
    download,
    drop,
    edited,
    pixels,
    slider,
    tab,
    violations,
    wait_for_change,
)
from tests.playground.conftest import OpenPage

MEASURES = "performance.getEntriesByName('slider-to-picture').map(({ duration }) => duration)"


def test_glasses_on_a_photograph(
    faces: str, open_page: OpenPage, width: int, tmp_path: Path
) -> None:
    page = open_page(faces, width)
    photograph = file(astronaut())
    drop(page, "astronaut.png", photograph)
    page.get_by_role("button", name="Face 1", exact=True).wait_for()
    slider(page, "glasses").fill("1.5")
    edited(page)
    assert violations(page) == []
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


def test_edit(faces: str, open_page: OpenPage, width: int) -> None:
    page = open_page(faces, width)
    page.get_by_role("button", name="Edit Face 45").click()
    page.get_by_role("button", name="Reset").click()
    untouched = pixels(edited(page))
    slider(page, "age").fill("1")
    older = wait_for_change(edited(page), untouched)
    slider(page, "Keep the photo").fill("0")
    wait_for_change(edited(page), older)

    expect(page).to_have_url(re.compile("w.age=1&preserve=0"))
    other = open_page(page.url, width)  # the link shows the same
    expect(slider(other, "age")).to_have_value("1")
    expect(slider(other, "Keep the photo")).to_have_value("0")
    expect(other.get_by_role("button", name="Edit Face 45", pressed=True)).to_be_visible()

    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
    expect(slider(page, "age")).to_have_value("0")
    page.keyboard.press("Control+Shift+Z")
    expect(slider(page, "age")).to_have_value("1")


def test_sample(faces: str, open_page: OpenPage, width: int) -> None:
    page = open_page(f"{faces}/#sample?seed=7&n=12", width)
    wall = tab(page, "Sample").get_by_role("list", name="Sampled faces")
    wall.get_by_role("button", name="Face 9", exact=True).click()
    expect(wall.get_by_role("button")).to_have_count(12)
    [sample] = ok(httpx.get(f"{faces}/sample?seed=9&format=json")).json()["seeds"]
    shown = pixels(wall.get_by_role("button", name=f"Face {sample}", exact=True).locator("img"))
    expected = pixels_of(ok(httpx.get(f"{faces}/sample?seed=9")).content)
    assert apart(shown, expected) <= 2
    slider(page, "Temperature").fill("0.5")
    expect(page).to_have_url(re.compile("temperature=0.5"))
    tab(page, "Edit").get_by_role("button", name="Edit Face 9", exact=True).click()
    expect(page).to_have_url(re.compile("#edit.*seed=9"))


def test_morph(faces: str, open_page: OpenPage, width: int) -> None:
    page = open_page(f"{faces}/#morph?seeds=24,45&at=0", width)
    panel = tab(page, "Morph")
    first = pixels(panel.get_by_role("img", name="The picture at 0 % of the path"))
    slider(page, "Position on the path").fill("63")
    last = pixels(panel.get_by_role("img", name="The picture at 100 % of the path"))
    assert apart(first, last) > 50
    strip = panel.get_by_role("list", name="Eight steps of the path").get_by_role("button")
    expect(strip.locator("img")).to_have_count(8)
    strip.first.click()
    assert np.array_equal(pixels(panel.get_by_role("img", name="The picture at 0 %")), first)
    panel.get_by_role("button", name="Play").click()
    expect(slider(page, "Position on the path")).not_to_have_value("0")
    panel.get_by_role("button", name="Pause").click()

    slider(page, "Frames").fill("4")
    animation = Image.open(io.BytesIO(download(page, "Download as GIF")))
    assert (animation.format, getattr(animation, "n_frames", 1)) == ("GIF", 6)  # and backwards


def test_arithmetic(faces: str, open_page: OpenPage, width: int) -> None:
    page = open_page(f"{faces}/#arithmetic?expression=a+-+b&g.a=10,18&g.b=11&g.c=24", width)
    panel = tab(page, "Arithmetic")
    answer = panel.get_by_role("img", name="The answer of")
    before = pixels(answer)
    page.get_by_label("Pictures above go into").select_option("b")
    panel.get_by_role("button", name="Add Face 45 to b").click()
    wait_for_change(answer, before)
    expect(panel.get_by_role("img", name="The mean of b")).to_be_visible()

    panel.get_by_role("textbox", name="Expression").fill("a - ")
    panel.get_by_text("The expression is not complete.").wait_for()
    panel.get_by_role("textbox", name="Expression").fill("a - b")
    panel.get_by_role("button", name="Add c to the expression").click()
    panel.get_by_role("img", name="The answer of a - b + c").wait_for()
    operands = {"a": [{"seed": 10}, {"seed": 18}], "b": [{"seed": 11}, {"seed": 45}]}
    body = {"expression": "a - b + c", "operands": operands | {"c": {"seed": 24}}}
    expected = pixels_of(ok(httpx.post(f"{faces}/arithmetic", json=body)).content)
    assert apart(pixels(answer), expected) <= 2

    name = f"frame_{width}"
    panel.get_by_role("textbox", name="Name of the direction").fill(name)
    panel.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text(f"{name} is saved").wait_for()
    tab(page, "Edit")
    slider(page, name).fill("1")
    edited(page)
    ok(httpx.get(f"{faces}/directions/{name}"))


def test_map(faces: str, open_page: OpenPage, width: int) -> None:
    page = open_page(f"{faces}/#map", width)
    panel = tab(page, "Map")
    picture = panel.locator("figure.point img")
    centre = pixels(picture)
    chart = panel.get_by_role("img", name="Samples on the plane")
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(slider(page, "Axis 1")).to_have_value("0.1")
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"])
    wait_for_change(picture, centre)
    panel.get_by_label("Colour").select_option("age")
    expect(page).to_have_url(re.compile("color=age"))
    panel.get_by_role("button", name="Decode the plane").click()
    assert pixels(panel.locator(".plane img")).shape == (1024, 1024, 3)


def edit(faces: str, age: float) -> Pixels:
    """What the page shows of its first face."""
    files = {"me": ok(httpx.get(f"{faces}/sample?seed=24")).content}
    data = {"expression": f"me + 1.5*glasses + {age:.2f}*age", "preserve": "1"}
    return pixels_of(ok(httpx.post(f"{faces}/arithmetic", files=files, data=data)).content)


def test_a_slider_is_followed(
    faces: str, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """At most two requests at a time, and in the end the picture of where the slider is."""
    page = open_page(faces)
    edited(page)
    in_flight, most = set[Request](), 0

    def begin(request: Request) -> None:
        nonlocal most
        if "/arithmetic" in request.url:
            in_flight.add(request)
            most = max(most, len(in_flight))

    def end(request: Request) -> None:
        in_flight.discard(request)

    page.on("request", begin)
    page.on("requestfinished", end)
    page.on("requestfailed", end)
    page.evaluate("performance.clearMeasures()")
    box = slider(page, "age").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(60):
        page.mouse.move(box["x"] + (0.5 + 0.006 * step) * box["width"], box["y"] + 10)
        page.wait_for_timeout(16)
    page.mouse.up()
    weight = float(slider(page, "age").input_value())
    expect(page).to_have_url(re.compile(f"w.age={weight:g}$"))
    shown = pixels(edited(page))
    assert most in (1, 2)
    here, before = (edit(faces, weight - less).astype(int) for less in (0, 0.5))
    assert np.abs(shown - here).mean() < 0.5 * np.abs(shown - before).mean()

    milliseconds = page.evaluate(MEASURES)
    assert len(milliseconds) > 2
    median = statistics.median(milliseconds)
    p95 = statistics.quantiles(milliseconds, n=20)[-1]
    with capsys.disabled():
        print(
            f"\nslider to picture: median {median:.0f} ms, p95 {p95:.0f} ms, "
            f"{len(milliseconds)} pictures of 60 moves"
        )

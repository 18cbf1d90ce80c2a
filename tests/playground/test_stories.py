"""Each tab, at the width of a desk and of a phone."""

import io
import re
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.app.conftest import apart, ok
from tests.app.conftest import pixels as pixels_of
from tests.playground.actions import edited, pixels, slider, tab, wait_for_change
from tests.playground.conftest import OpenPage


def test_edit(faces: str, open_page: OpenPage, width: int) -> None:
    page = open_page(faces, width)
    page.get_by_role("button", name="Edit Face 45").click()
    page.get_by_role("button", name="Reset").click()
    untouched = pixels(edited(page))
    slider(page, "age").fill("1")
    older = wait_for_change(edited(page), untouched)
    slider(page, "Keep the photo").fill("0")
    wait_for_change(edited(page), older)

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
    with page.expect_download() as download:
        panel.get_by_role("button", name="Download as GIF").click()
    animation = Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))
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

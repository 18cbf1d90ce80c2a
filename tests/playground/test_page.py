"""The page itself: latency, accessibility, languages, keys, several models, the camera."""

import hashlib
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import FilePayload, Request, expect

from app.settings import Settings
from tests.app.conftest import ok, serving
from tests.app.conftest import pixels as pixels_of
from tests.playground.actions import Pixels, edited, pixels, slider, tab
from tests.playground.conftest import OpenPage

AXE = Path(__file__).parents[2] / "playground/node_modules/axe-core/axe.min.js"
TABS = ("Edit", "Sample", "Morph", "Arithmetic", "Map")
MEASURES = "performance.getEntriesByName('slider-to-picture').map(({ duration }) => duration)"


def edit(faces: str, age: float) -> Pixels:
    """What the page shows of its first face."""
    files = {"me": ok(httpx.get(f"{faces}/sample?seed=24")).content}
    data = {"expression": f"me + 1.5*glasses + {age:.2f}*age", "preserve": "1"}
    return pixels_of(ok(httpx.post(f"{faces}/arithmetic", files=files, data=data)).content)


def test_a_slider_is_followed(faces: str, open_page: OpenPage, capsys: Any) -> None:
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
    shown = pixels(edited(page))
    assert most in (1, 2)
    weight = float(slider(page, "age").input_value())
    here, before = (edit(faces, weight - less).astype(int) for less in (0, 0.2))
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


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_no_violation(faces: str, open_page: OpenPage, width: int, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here; make playground installs it")
    page = open_page(faces, width, color_scheme=scheme)
    page.evaluate(AXE.read_text())
    for name in TABS:
        panel = tab(page, name)
        expect(panel.locator(".placeholder, .spinner")).to_have_count(0)
        result = page.evaluate("axe.run()")
        found = [(v["id"], [n["target"] for n in v["nodes"]]) for v in result["violations"]]
        assert found == [], name


def test_the_keyboard_moves_between_tabs(client: httpx.Client, open_page: OpenPage) -> None:
    page = open_page(str(client.base_url))
    page.get_by_role("tab", name="Edit").focus()
    for key, name in (("ArrowRight", "Sample"), ("End", "Map"), ("ArrowRight", "Edit")):
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("tabpanel", name="Map")).to_be_visible()


def test_the_language_is_the_browsers_until_it_is_chosen(
    client: httpx.Client, open_page: OpenPage
) -> None:
    page = open_page(str(client.base_url), locale="zh-CN")
    expect(page.get_by_role("tab", name="编辑")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("tab", name="Edit")).to_be_visible()
    other = open_page(page.url, locale="zh-CN")
    expect(other.get_by_role("tab", name="Edit")).to_be_visible()


def test_a_key_is_asked_for_where_the_service_needs_one(
    settings: Callable[..., Settings], open_page: OpenPage
) -> None:
    key = "correct-key"
    with serving(settings(api_keys=[hashlib.sha256(key.encode()).hexdigest()])) as service:
        page = open_page(str(service.base_url))
        field = page.get_by_label("API key")
        field.fill("wrong-key")
        page.get_by_role("button", name="Use this key").click()
        page.get_by_text("The service does not know this key.").wait_for()
        field.fill(key)
        page.get_by_role("button", name="Use this key").click()
        edited(page)
        assert "$KEY" in page.locator(".curl code").first.inner_text()
        assert key not in page.content()
        stored = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
        assert stored == [0, 0, ""]


def test_a_model_can_be_chosen(client: httpx.Client, open_page: OpenPage) -> None:
    page = open_page(str(client.base_url))
    expect(slider(page, "smile")).to_be_visible()
    page.get_by_label("Model").select_option("grey")
    page.get_by_text("grey@").wait_for()
    edited(page)
    tab(page, "Sample").get_by_role("button", name="Next").click()
    other = open_page(page.url)
    expect(other.get_by_label("Model")).to_have_value("grey")


def test_a_photo_is_taken_with_the_camera(client: httpx.Client, open_page: OpenPage) -> None:
    page = open_page(str(client.base_url))
    page.get_by_role("button", name="Camera").click()
    expect(page.locator("video")).to_have_js_property("readyState", 4)
    page.get_by_role("button", name="Take the photo").click()
    page.get_by_role("button", name="Edit photo.png", pressed=True).wait_for()
    edited(page)


def test_a_file_is_chosen_or_pasted(client: httpx.Client, open_page: OpenPage) -> None:
    page = open_page(str(client.base_url))
    edited(page)
    data = ok(client.get("/sample?seed=3")).content
    image = FilePayload(name="mine.png", mimeType="image/png", buffer=data)
    page.get_by_label("Choose a photo").set_input_files([image])
    page.get_by_role("button", name="Edit mine.png", pressed=True).wait_for()
    page.evaluate(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "pasted.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
        }""",
        list(data),
    )
    page.get_by_role("button", name="Edit pasted.png", pressed=True).wait_for()

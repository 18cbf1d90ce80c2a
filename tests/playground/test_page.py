"""The page itself: accessibility, languages, keys, several models, ways to add a photograph."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import FilePayload, expect

from app.settings import Settings
from tests.app.conftest import apart, file, ok, serving, tiny_checkpoint
from tests.app.conftest import pixels as pixels_of
from tests.photographs import astronaut
from tests.playground.actions import drop, edited, pixels, slider, tab, violations
from tests.playground.conftest import OpenPage
from vae.checkpoint import save

TABS = ("Edit", "Sample", "Morph", "Arithmetic", "Map")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_no_violation(
    client: httpx.Client, open_page: OpenPage, width: int, scheme: str
) -> None:
    page = open_page(str(client.base_url), width, color_scheme=scheme)
    for name in TABS:
        panel = tab(page, name)
        expect(panel.locator("img, canvas").first).to_be_visible()
        expect(panel.locator(".placeholder, .spinner, progress")).to_have_count(0)
        assert violations(page) == [], name


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


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("broken.png", file(astronaut())[:5000], "The image file is damaged."),
        ("text.png", b"not an image", "This kind of file cannot be read."),
    ],
)
def test_a_file_that_is_no_image_is_explained(
    client: httpx.Client, open_page: OpenPage, name: str, data: bytes, text: str
) -> None:
    page = open_page(str(client.base_url))
    page.get_by_role("button", name="Edit Face 24", pressed=True).wait_for()
    drop(page, name, data)
    alert = page.get_by_role("alert").filter(has_text=text)
    alert.wait_for()
    page.get_by_role("button", name="Close").click()
    alert.wait_for(state="hidden")


def test_the_map_of_two_dimensions_is_the_latent_space(
    settings: Callable[..., Settings], open_page: OpenPage, tmp_path: Path
) -> None:
    save(tiny_checkpoint(3, dim=2), tmp_path / "plane.safetensors")
    with serving(settings(models=(str(tmp_path / "plane.safetensors"),))) as service:
        page = open_page(f"{service.base_url}/#map?x=1.5&y=-0.5")
        page.get_by_text("The latent space has two dimensions.").wait_for()
        shown = pixels(page.locator("figure.point img"))
        expected = ok(service.post("/decode", json={"latents": [[1.5, -0.5]]})).content
        assert apart(shown, pixels_of(expected)) <= 1

"""What a person does on the page, and what they see."""

import base64
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

Pixels = npt.NDArray[np.uint8]

DROP = """([name, text]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: "image/png" }));
  for (const type of ["dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true }));
  }
}"""
AXE = Path(__file__).parents[2] / "playground/node_modules/axe-core/axe.min.js"
READ_PIXELS = """(image) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}"""


def drop(page: Page, name: str, data: bytes) -> None:
    """Drop an image file onto the page."""
    page.evaluate(DROP, [name, base64.b64encode(data).decode()])


def tab(page: Page, name: str) -> Locator:
    """Choose a tab; its panel."""
    page.get_by_role("tab", name=name, exact=True).click()
    return page.get_by_role("tabpanel", name=name)


def download(page: Page, button: str) -> bytes:
    """The file that a button saves."""
    with page.expect_download() as saved:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(saved.value.path()).read_bytes()


def slider(page: Page, name: str) -> Locator:
    return page.get_by_role("slider", name=name, exact=True)


def pixels(image: Locator) -> Pixels:
    """Of an image on the page, when it is loaded."""
    expect(image).to_have_js_property("complete", True)
    data = base64.b64decode(image.evaluate(READ_PIXELS))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def edited(page: Page) -> Locator:
    """The picture after the edit, when it is the one of the present state."""
    expect(page.locator("figure.divider")).to_have_attribute("aria-busy", "false")
    return page.get_by_role("img", name="after the edit")


def wait_for_change(image: Locator, before: Pixels) -> Pixels:
    """The pixels of an image as soon as they are others than before."""
    for _ in range(600):
        now = pixels(image)
        if now.shape != before.shape or not np.array_equal(now, before):
            return now
        image.page.wait_for_timeout(100)
    raise AssertionError("the image does not change")


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe-core finds wrong on the page: the rule, and the elements that break it."""
    if not AXE.exists():
        pytest.skip("axe-core is not here; make playground installs it")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [(rule["id"], [str(node["target"]) for node in rule["nodes"]]) for rule in found]

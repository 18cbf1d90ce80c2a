"""A screenshot of the playground, by Chromium."""

import io

from PIL import Image
from playwright.sync_api import sync_playwright

from docs.pictures.service import astronaut, save

SIZE = {"width": 1100, "height": 760}
WIDTH = 880  # pixels, of the picture
READY = 60_000  # milliseconds
TOAST = 6_000  # until the message that the photograph is ready has gone


def draw(url: str) -> None:
    """Open the page, drop the astronaut's photograph, and put glasses on it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        page.set_default_timeout(READY)
        page.goto(url)
        page.locator("input[type=file]").first.set_input_files(
            {"name": "astronaut.png", "mimeType": "image/png", "buffer": astronaut()}
        )
        page.get_by_role("button", name="Face 1", exact=True).wait_for()
        page.get_by_role("slider", name="glasses").fill("1.5")
        page.locator("figure.divider[aria-busy=false]").wait_for()
        page.wait_for_timeout(TOAST)
        shot = page.screenshot(full_page=True)
        browser.close()
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    height = round(WIDTH * image.height / image.width)
    save(image.resize((WIDTH, height), Image.Resampling.LANCZOS), "playground.jpg")

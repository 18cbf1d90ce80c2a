"""A browser, a service of the bundled model, and pages that may log no error."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.app.conftest import client, models, settings
from tests.app.processes import running

__all__ = ["client", "models", "settings"]

CHROMIUM = shutil.which("chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
SIZES = {1280: 900, 390: 844}  # width and height of a screen, in pixels
PATIENCE_MS = 60_000  # with whatever is awaited; machines may be busy
HTTP_ERROR = "Failed to load resource"  # that Chromium logs for a status from 400

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; not for the session, since Playwright keeps an event loop in this thread."""
    if CHROMIUM is None:
        pytest.skip("chromium is not here; Debian has it in the package chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service of ``models/faces``, with a database of its own."""
    options = {
        "MODELS": "models/faces",
        "DIRECTIONS_DATABASE": f"sqlite:///{tmp_path_factory.mktemp('store')}/directions.sqlite3",
        "LOG_LEVEL": "warning",  # nobody reads its log, and a full pipe would stop it
    }
    with running(**options) as (_, client):
        yield str(client.base_url)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens pages, which at the end have logged no error and violated no policy."""
    contexts, logged = [], []

    def open_at(address: str, width: int = 1280, **options: str) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": SIZES[width]},
            has_touch=width < 600,
            permissions=["clipboard-read", "clipboard-write"],
            **({"locale": "en-US"} | options),  # type: ignore[arg-type]
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda m: logged.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: logged.append(str(error)))
        page.goto(address)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert [text for text in logged if not text.startswith(HTTP_ERROR)] == []


@pytest.fixture(params=SIZES, ids=lambda width: f"{width}px")
def width(request: pytest.FixtureRequest) -> int:
    """Of a screen, in pixels."""
    value: int = request.param
    return value

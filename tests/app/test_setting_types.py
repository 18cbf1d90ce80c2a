"""Settings that are keys and origins."""

import pytest

from app.setting_types import named_hash
from app.settings import Settings

HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize("text", [f"shop:{HASH}", f"a.b-c_9:{HASH}", f"{'x' * 64}:{HASH}"])
def test_a_key_may_have_a_name(text: str) -> None:
    assert named_hash(text) == (text.partition(":")[0], bytes.fromhex(HASH))
    assert Settings(api_keys=(text,), metrics_keys=(text,)).api_keys == (text,)


def test_a_key_without_a_name_is_named_by_its_hash() -> None:
    assert named_hash(HASH) == ("01234567", bytes.fromhex(HASH))


@pytest.mark.parametrize(
    "text", [f":{HASH}", f"a b:{HASH}", f"a:b:{HASH}", f"é:{HASH}", f"{'x' * 65}:{HASH}", "shop:1"]
)
@pytest.mark.parametrize("name", ["API_KEYS", "METRICS_KEYS"])
def test_a_name_has_plain_characters(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"LORGNETTE_{name}", text)
    with pytest.raises(ValueError, match="NAME:HASH"):
        Settings()


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example",
        "http://localhost:3000",
        "http://[::1]:8080",
        "https://shop.example:8443",
        "capacitor://localhost",
        "*",
    ],
)
def test_an_origin_is_as_a_browser_sends_it(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("LORGNETTE_CORS_ORIGINS", origin)
    assert Settings().cors_origins == (origin,)


@pytest.mark.parametrize(
    "origins",
    [
        "shop.example",
        "https://",
        "https://shop.example/",
        "https://shop.example/page",
        "https://Shop.example",
        "https://shop.example:443",
        "http://shop.example:80",
        "https://shop.example:99999",
        "https://*.shop.example",
        "https://me@shop.example",
        "https://shop.example?x",
        "https://shöp.example",
        "null",
        "*,https://shop.example",
        "https://shop.example,nowhere",
    ],
)
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("LORGNETTE_CORS_ORIGINS", origins)
    with pytest.raises(ValueError, match="as a browser sends it"):
        Settings()


@pytest.mark.parametrize("seconds", ["-1", "inf", "nan", "soon"])
def test_the_time_to_drain_is_finite(monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    monkeypatch.setenv("LORGNETTE_DRAIN_SECONDS", seconds)
    with pytest.raises(ValueError, match="drain_seconds"):
        Settings()

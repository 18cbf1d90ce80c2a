import pytest

from app.settings import INTERNAL, Settings
from docs.generate import settings_table

TABLE = settings_table.text()
PUBLIC = [name for name in Settings.model_fields if name not in INTERNAL]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    field = Settings.model_fields[name]
    default = field.default
    if isinstance(default, tuple):
        default = ",".join(default)
    if isinstance(default, bool):
        default = str(default).lower()
    shown = "none" if default == "" else f"`{default}`"
    assert f"| `LORGNETTE_{name.upper()}` | {shown} | {field.description} |" in TABLE


def test_no_setting_is_documented_that_is_not_there() -> None:
    named = {line.split("`")[1] for line in TABLE.splitlines() if line.startswith("| `LORGN")}
    assert named == {f"LORGNETTE_{name.upper()}" for name in PUBLIC}


def test_models_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORGNETTE_MODELS", "a/b, c.safetensors,")
    assert Settings().models == ("a/b", "c.safetensors")


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORGNETTE_PORT", "0")
    monkeypatch.setenv("LORGNETTE_DETERMINISTIC", "true")
    monkeypatch.setenv("LORGNETTE_MAX_BODY_BYTES", "10")
    settings = Settings()
    assert (settings.port, settings.deterministic, settings.max_body_bytes) == (0, True, 10)


@pytest.mark.parametrize("value", ["", ",", " , "])
def test_some_model_is_needed(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LORGNETTE_MODELS", value)
    with pytest.raises(ValueError, match="models"):
        Settings()


@pytest.mark.parametrize("name", ["max_queue", "max_image_queue"])
def test_a_queue_holds_a_whole_request(name: str) -> None:
    Settings.model_validate({name: 64, "max_images": 64})
    with pytest.raises(ValueError, match=f"{name} .63. must hold one whole request"):
        Settings.model_validate({name: 63, "max_images": 64})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org", ""])
def test_an_address_for_other_machines_needs_keys_or_consent(host: str) -> None:
    with pytest.raises(ValueError, match="is open to other machines"):
        Settings(host=host)
    Settings(host=host, allow_anonymous=True)
    Settings(host=host, api_keys=("0" * 64,))


def test_a_rate_limit_without_keys_is_refused() -> None:
    Settings(requests_per_minute=5, api_keys=("0" * 64,))
    with pytest.raises(ValueError, match="set api_keys too"):
        Settings(requests_per_minute=5)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_a_loopback_address_needs_no_keys(host: str) -> None:
    assert Settings(host=host).api_keys == ()


@pytest.mark.parametrize("keys", ["secret", "0" * 63, f"{'0' * 64},x", "G" * 64])
def test_keys_are_given_as_hashes(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setenv("LORGNETTE_API_KEYS", keys)
    with pytest.raises(ValueError, match="64 hexadecimal digits") as refused:
        Settings()
    assert "secret" not in str(refused.value)


def test_it_is_built_once_and_cannot_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(Settings(), "port", 1)  # noqa: B010

"""A model that is loaded again by a request, at a real server."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from app.settings import Settings
from tests.app.conftest import DIM, latents, ok, problem, serving, tiny_checkpoint
from tests.app.observability.test_metrics import counts
from vae.attribute_classifier import FILE, convnet_classifier
from vae.attribute_classifier import save as save_classifier
from vae.checkpoint import save

PATH = "/models/mine/reload"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the model ``mine``."""
    return tmp_path_factory.mktemp("models") / "mine"


@pytest.fixture(scope="module")
def service(
    settings: Callable[..., Settings], models: Path, folder: Path
) -> Iterator[httpx.Client]:
    """A service of ``mine``, which changes, and ``tiny``, which does not."""
    folder.mkdir()
    write(folder, 1)
    places = (str(folder), str(models / "tiny"))
    database = f"sqlite:///{folder}/directions.sqlite3"
    with serving(
        settings(models=places, directions_database=database, deterministic=True)
    ) as client:
        yield client


@pytest.fixture(autouse=True)
def first(service: httpx.Client, folder: Path) -> None:
    """Each test begins with the first checkpoint."""
    write(folder, 1)
    ok(service.post(PATH))


def write(folder: Path, seed: int, **changes: Any) -> None:
    """Put a new checkpoint in the place of the one that is there."""
    save(tiny_checkpoint(seed, **changes), folder / "model.safetensors")


def served(client: httpx.Client) -> str:
    model_id: str = ok(client.get("/models/mine")).json()["id"]
    return model_id


def test_new_requests_use_the_new_file(service: httpx.Client, folder: Path) -> None:
    former, before = served(service), ok(service.get("/sample?seed=7"))
    write(folder, 2)
    assert ok(service.get("/sample?seed=7")).content == before.content
    response = ok(service.post(PATH))
    body = response.json()
    assert (body["outcome"], body["former"], body["workers"]) == ("reloaded", former, 1)
    assert body["model"] == ok(service.get("/models/mine")).json()
    assert body["model"]["id"] == response.headers["lorgnette-model"] != former
    after = ok(service.get("/sample?seed=7"))
    assert after.headers["lorgnette-model"] == body["model"]["id"]
    assert after.content != before.content
    ok(service.get("/health/ready"))


def test_a_response_that_has_begun_is_of_the_former_model(
    service: httpx.Client, folder: Path
) -> None:
    path, former = "/sample?seed=7&n=64&format=zip", served(service)
    expected = ok(service.get(path)).content
    write(folder, 2)
    with service.stream("GET", path) as response:
        parts = response.iter_raw(1)
        begun = next(parts)
        reloaded = ok(service.post(PATH)).json()["model"]["id"]
        assert begun + b"".join(parts) == expected
    assert response.headers["lorgnette-model"] == former != reloaded


def test_a_file_that_has_not_changed_is_left_as_it_is(service: httpx.Client) -> None:
    former = served(service)
    body = ok(service.post(f"/models/{former}/reload")).json()
    assert (body["outcome"], body["former"], body["model"]["id"]) == ("unchanged", former, former)


def overwrite(data: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda file: os.truncate(file, file.stat().st_size // 2), ("truncated",)),
        (overwrite(b"PK\x03\x04"), ("pickle",)),
        (overwrite(b""), ("truncated",)),
        (Path.unlink, ("no such checkpoint",)),
        (lambda file: write(file.parent, 2, dim=DIM + 1), (f"latents are {DIM + 1}", f"{DIM};")),
        (lambda file: write(file.parent, 2, channels=1), ("images are 1 x 32 x 32", "3 x 32 x 32")),
        (lambda file: (file.parent / FILE).write_bytes(b"no"), (FILE, "no classifier")),
    ],
    ids=["truncated", "pickle", "empty", "missing", "latents", "images", "classifier"],
)
def test_a_broken_file_leaves_the_former_model(
    service: httpx.Client, folder: Path, damage: Callable[[Path], object], words: tuple[str, ...]
) -> None:
    former, before = served(service), ok(service.get("/sample?seed=7")).content
    damage(folder / "model.safetensors")
    response = service.post(PATH)
    assert problem(response, 409, str(folder), *words)["type"] == "urn:lorgnette:reload-failed"
    assert response.headers["lorgnette-model"] == served(service) == former
    assert ok(service.get("/sample?seed=7")).content == before
    (folder / FILE).unlink(missing_ok=True)


def test_weights_that_are_not_finite_are_refused(service: httpx.Client, folder: Path) -> None:
    file = folder / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-4:] = b"\xff\xff\xff\x7f"  # NaN
    file.write_bytes(data)
    problem(service.post(PATH), 409, "NaN or infinity")


def test_metrics_count_what_came_and_name_what_serves(service: httpx.Client, folder: Path) -> None:
    def reloads(outcome: str) -> float:
        labels = f'model="mine",outcome="{outcome}"'
        return counts(service)[f"lorgnette_model_reloads_total{{{labels}}}"]

    def info(sha256: str) -> float:
        return counts(service)[f'lorgnette_model_info{{model="mine",sha256="{sha256}"}}']

    before = {outcome: reloads(outcome) for outcome in ("reloaded", "unchanged", "failed")}
    former = ok(service.get("/models/mine")).json()["sha256"]
    write(folder, 2)
    new = ok(service.post(PATH)).json()["model"]["sha256"]
    assert (info(former), info(new)) == (0, 1)
    ok(service.post(PATH))
    (folder / "model.safetensors").unlink()
    problem(service.post(PATH), 409)
    assert {outcome: reloads(outcome) for outcome in before} == {
        outcome: count + 1 for outcome, count in before.items()
    }
    assert info(new) == 1


def test_an_address_with_a_hash_is_of_one_model_for_good(
    service: httpx.Client, folder: Path
) -> None:
    former = served(service)
    before = ok(service.get(f"/sample?seed=7&model={former}"))
    write(folder, 2)
    ok(service.post(PATH))
    problem(service.get(f"/sample?seed=7&model={former}"), 404, former)
    tag = {"If-None-Match": before.headers["etag"]}
    after = ok(service.get("/sample?seed=7", headers=tag))  # not 304
    assert after.headers["etag"] != before.headers["etag"]
    write(folder, 1)
    ok(service.post(PATH))
    assert service.get("/sample?seed=7", headers=tag).status_code == 304


def test_an_image_of_the_former_model_is_encoded_anew(service: httpx.Client, folder: Path) -> None:
    image = {"image": ok(service.get("/sample?seed=7")).content}
    carried = latents(service.get("/sample?seed=7&format=json"))
    own = latents(service.post("/reconstruct?format=json", files=image))
    assert (own == carried).all()
    write(folder, 2)
    ok(service.post(PATH))
    [mean] = ok(service.post("/encode", files=image)).json()["latents"]
    again = latents(service.post("/reconstruct?format=json", files=image))
    assert again[0] == pytest.approx(mean["mean"], abs=1e-4)
    assert again[0] != pytest.approx(carried[0], abs=1e-2)


def test_saved_directions_belong_to_the_file_that_they_were_made_with(
    service: httpx.Client, folder: Path
) -> None:
    groups = {"with": [{"seed": 1}], "without": [{"seed": 2}]}
    service.put("/directions/kept", json=groups).raise_for_status()
    write(folder, 2)
    ok(service.post(PATH))
    problem(service.get("/directions/kept"), 404)
    write(folder, 1)
    ok(service.post(PATH))
    ok(service.get("/directions/kept"))


def test_a_classifier_beside_it_is_loaded_too(service: httpx.Client, folder: Path) -> None:
    former = served(service)
    edit = {"expression": "me + smile", "operands": {"me": [{"seed": 1}]}}
    before = ok(service.post("/arithmetic", json=edit)).headers["etag"]
    torch.manual_seed(0)
    save_classifier(convnet_classifier(["smile"]), {"smile": 0.9}, folder / FILE)
    body = ok(service.post(PATH)).json()
    assert (body["outcome"], body["model"]["id"]) == ("reloaded", former)
    assert body["model"]["auxiliary_classifier"]["labels"] == ["smile"]
    assert ok(service.post("/arithmetic", json=edit)).headers["etag"] != before
    (folder / FILE).unlink()


def test_one_model_is_loaded_and_not_the_others(service: httpx.Client, folder: Path) -> None:
    former = served(service)
    write(folder, 2)
    assert ok(service.post("/models/tiny/reload")).json()["outcome"] == "unchanged"
    assert served(service) == former
    problem(service.post("/models/none/reload"), 404, "none")


@pytest.mark.parametrize(
    "headers", [{"X-Forwarded-For": "203.0.113.9"}, {"Origin": "http://shop.example"}]
)
def test_without_admin_keys_it_is_for_this_machine(
    service: httpx.Client, headers: dict[str, str]
) -> None:
    refused = service.post(PATH, headers=headers)
    assert problem(refused, 403, "LORGNETTE_ADMIN_KEYS")["type"] == "urn:lorgnette:local-only"

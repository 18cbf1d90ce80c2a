"""Directions that users save, at a real server."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from app.settings import Settings
from app.store import directions
from tests.app.conftest import (
    DIM,
    apart,
    decoded,
    file,
    images,
    latents,
    means,
    ok,
    problem,
    random_image,
    serving,
)
from vae.latent import seeded_noise

Rows = list[list[float]]


@pytest.fixture(scope="module")
def client(
    settings: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    database = tmp_path_factory.mktemp("store") / "directions.sqlite3"
    with serving(settings(directions_database=f"sqlite:///{database}")) as client:
        yield client


def rows(count: int, seed: int = 0, shift: float = 0.0) -> Rows:
    noise = 0.1 * seeded_noise(range(seed, seed + count), DIM) + shift
    return [[float(v) for v in row] for row in noise]


def operands(values: Rows) -> list[dict[str, Any]]:
    return [{"latent": row} for row in values]


def groups(count: int = 3) -> dict[str, Any]:
    """As JSON; the difference of their means is about 1 in every dimension."""
    return {
        "with": operands(rows(count, shift=1.0)),
        "without": operands(rows(count, seed=1000)),
    }


def put(client: httpx.Client, name: str, body: dict[str, Any], **params: str) -> httpx.Response:
    return client.put(f"/directions/{name}", json=body, params=params)


def listed(client: httpx.Client, **params: str) -> dict[str, dict[str, Any]]:
    body = ok(client.get("/directions", params=params)).json()
    assert body["complete"] is True
    return {direction["name"]: direction for direction in body["directions"]}


def test_a_direction_of_two_groups_is_used_by_its_name(client: httpx.Client) -> None:
    body = groups() | {"meaning": "our round frame"}
    response = put(client, "frame", body)
    assert response.status_code == 201, response.text
    about = response.json()
    assert about["saved"] is True
    assert (about["meaning"], about["count"], about["kinds"]) == ("our round frame", 6, 0)
    assert response.headers["lorgnette-model"].startswith("tiny@")
    assert listed(client)["frame"] == about
    assert listed(client)["glasses"]["saved"] is False
    assert ok(client.get("/directions/frame")).json() == about
    step = np.mean(rows(3, shift=1.0), 0) - np.mean(rows(3, seed=1000), 0)
    assert about["scale"] == pytest.approx(float(np.linalg.norm(step)), rel=1e-5)
    [z] = rows(1, seed=50)
    edit = {"expression": "me + 0.5*frame", "operands": {"me": [{"latent": z}]}}
    edited = client.post("/arithmetic?format=json", json=edit)
    np.testing.assert_allclose(latents(edited)[0], np.add(z, 0.5 * step), atol=1e-5)


def test_a_second_one_takes_the_place_of_the_first(client: httpx.Client) -> None:
    assert put(client, "again", groups()).status_code == 201
    swapped = {"with": groups()["without"], "without": groups()["with"]}
    assert put(client, "again", swapped).status_code == 200
    edit = {"expression": "me + again", "operands": {"me": [{"latent": [0.0] * DIM}]}}
    assert latents(client.post("/arithmetic?format=json", json=edit)).mean() < -0.8


def test_groups_come_as_files_of_a_form(client: httpx.Client) -> None:
    files = [file(random_image(seed)) for seed in range(4)]
    form: list[tuple[str, Any]] = [
        *(("with", data) for data in files[:2]),
        ("without", files[2]),
        ("without", (None, json.dumps({"latent": rows(1)[0]}))),
        ("meaning", (None, "of a form")),
    ]
    response = client.put("/directions/form", files=form)
    assert response.status_code == 201, response.text
    assert (response.json()["meaning"], response.json()["count"]) == ("of a form", 4)
    encoded = means(client, *files[:3])
    step = encoded[:2].mean(0) - (encoded[2] + rows(1)[0]) / 2
    assert response.json()["scale"] == pytest.approx(float(np.linalg.norm(step)), rel=1e-4)


def test_one_group_of_a_label_is_the_function_of_expressions(client: httpx.Client) -> None:
    worn = operands(rows(2, seed=7, shift=0.4))
    assert put(client, "this_frame", {"with": worn, "label": "glasses"}).status_code == 201
    me = operands(rows(1, seed=60))
    saved = {"expression": "me + this_frame", "operands": {"me": me}}
    function = {"expression": "me + glasses(worn)", "operands": {"me": me, "worn": worn}}
    [by_name] = images(client.post("/arithmetic?format=json", json=saved))
    [by_function] = images(client.post("/arithmetic?format=json", json=function))
    assert apart(by_name, by_function) <= 1


def test_enough_images_give_a_subspace(client: httpx.Client) -> None:
    response = put(client, "many", groups(4 * DIM))
    assert response.status_code == 201, response.text
    spread = {"with": operands([[9 * v for v in row] for row in rows(4 * DIM)])}
    response = put(client, "many", spread | {"without": groups(4 * DIM)["without"]})
    assert response.json()["kinds"] == DIM
    edit = {"expression": "me + many(me)", "operands": {"me": operands(rows(1))}}
    ok(client.post("/arithmetic", json=edit))


def test_what_is_held_does_not_change(client: httpx.Client) -> None:
    response = put(client, "free", groups() | {"hold": ["smile", "glasses"]})
    assert response.json()["method"] == "difference of means, smile, glasses held"
    free = response.json()["scale"]
    assert free < put(client, "free", groups()).json()["scale"]
    form: list[tuple[str, Any]] = [
        *(("with", (None, json.dumps(o))) for o in groups()["with"]),
        *(("without", (None, json.dumps(o))) for o in groups()["without"]),
        ("hold", (None, "smile, glasses")),
    ]
    response = client.put("/directions/free", files=form)
    assert response.json()["scale"] == pytest.approx(free)


def test_a_preview_is_a_sample_moved_along_the_direction(client: httpx.Client) -> None:
    put(client, "shown", groups())
    row = ok(client.get("/directions/shown/preview"))
    assert row.headers["content-type"] == "image/png"
    params = {"format": "json", "seed": "3", "steps": "3"}
    response = client.get("/directions/shown/preview", params=params)
    z = latents(client.post("/sample?format=json", json={"seed": 3}))[0]
    step = np.mean(rows(3, shift=1.0), 0) - np.mean(rows(3, seed=1000), 0)
    expected = decoded(client, z - 2 * step, z, z + 2 * step)
    assert all(apart(a, b) <= 1 for a, b in zip(images(response), expected, strict=True))
    ok(client.get("/directions/glasses/preview"))
    problem(client.get("/directions/shown/preview?steps=1"), 422)


def test_what_is_deleted_is_gone(client: httpx.Client) -> None:
    put(client, "gone", groups())
    response = client.delete("/directions/gone")
    assert (response.status_code, response.content) == (204, b"")
    edit = {"expression": "me + gone", "operands": {"me": operands(rows(1))}}
    problem(client.post("/arithmetic", json=edit), 422, "'gone'")
    for request in (client.delete, client.get):
        problem(request("/directions/gone"), 404, "'gone'")
    problem(client.get("/directions/gone/preview"), 404, "'gone'")


def test_a_direction_belongs_to_its_model(client: httpx.Client) -> None:
    put(client, "mine", groups())
    assert "mine" in listed(client)
    assert "mine" not in listed(client, model="grey")
    problem(client.get("/directions/mine?model=grey"), 404)
    grey = {"with": [{"seed": 1}], "without": [{"seed": 2}]}
    assert put(client, "mine", grey, model="grey").status_code == 201
    assert client.delete("/directions/mine?model=grey").status_code == 204
    assert "mine" in listed(client)


LABEL = {"with": [{"seed": 1}], "label": "glasses"}


@pytest.mark.parametrize(
    ("name", "body", "status", "word"),
    [
        ("glasses", groups(), 409, "direction of the checkpoint"),
        ("1st", groups(), 422, "pattern"),
        ("a" * 65, groups(), 422, "pattern"),
        ("a-b", groups(), 422, "pattern"),
        ("new", {"without": [{"seed": 1}]}, 422, "#/with"),
        ("new", {"with": [], "without": [{"seed": 1}]}, 422, "#/with"),
        ("new", {"with": [{"seed": 1}]}, 422, "label"),
        ("new", {"with": [{"seed": 1}], "without": [{"seed": 1}]}, 422, "same mean"),
        ("new", LABEL | {"without": [{"seed": 1}]}, 422, "takes the place"),
        ("new", LABEL | {"hold": ["smile"]}, 422, "takes the place"),
        ("new", LABEL | {"label": "smile"}, 422, "'smile'"),
        ("new", LABEL | {"label": "hat"}, 422, "'hat'"),
        ("new", groups() | {"hold": ["hat"]}, 422, "'hat'"),
        ("new", groups() | {"meaning": ""}, 422, "#/meaning"),
        ("new", groups() | {"meaning": "m" * 201}, 422, "#/meaning"),
        ("new", groups() | {"detail": 1}, 422, "#/detail"),
        ("new", groups(33), 413, "66"),
        ("new", {"with": [{"latent": [1.0]}], "without": [{"seed": 1}]}, 422, "1 values"),
    ],
)
def test_what_makes_no_direction_is_refused(
    client: httpx.Client, name: str, body: dict[str, Any], status: int, word: str
) -> None:
    problem(put(client, name, body), status, word)
    assert "new" not in listed(client)


def test_a_model_has_so_many_saved_ones(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, "first", groups())
    monkeypatch.setattr(directions, "MAX_DIRECTIONS", 1)
    problem(put(client, "one_more", groups()), 409, "delete one")


def test_a_name_of_an_operand_is_not_looked_up(client: httpx.Client) -> None:
    put(client, "me", groups())
    edit = {"expression": "me", "operands": {"me": operands(rows(1))}}
    response = client.post("/arithmetic?format=json", json=edit)
    np.testing.assert_allclose(latents(response)[0], rows(1)[0], atol=1e-6)

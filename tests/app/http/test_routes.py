import hashlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx import Client

from tests.app.conftest import (
    DIM,
    SIZE,
    apart,
    decoded,
    file,
    images,
    latents,
    means,
    ok,
    pixels,
    problem,
    random_image,
    text,
)

A, B, C = (file(random_image(seed)) for seed in (1, 2, 3))


@pytest.mark.parametrize("path", ["/encode", "/reconstruct"])
@pytest.mark.parametrize(
    "options",
    [
        {"files": {"image": A}},
        {"content": A, "headers": {"Content-Type": "image/png"}},
        {"content": A, "headers": {"Content-Type": "image/jpeg"}},  # the bytes say what it is
        {"content": A, "headers": {"Content-Type": "application/octet-stream"}},
        {"json": {"image": text(A)}},
        {"json": {"image": [f"data:image/png;base64,{text(A)}"]}},
    ],
    ids=["multipart", "raw", "mislabelled", "octets", "base64", "data-uri"],
)
def test_an_image_may_come_in_any_form(client: Client, path: str, options: dict[str, Any]) -> None:
    found = ok(client.post(f"{path}?format=json", **options)).json()["latents"][0]
    mean = found["mean"] if path == "/encode" else found
    assert mean == means(client, A)[0].tolist()


@pytest.mark.parametrize("path", ["/interpolate", "/arithmetic"])
def test_an_operand_may_come_in_any_form(client: Client, path: str) -> None:
    names, data = ("start", "end"), {"steps": "2"}
    if path == "/arithmetic":
        names, data = ("a", "b"), {"expression": "a - 0.5*b"}
    first, second = names

    def asked(**options: Any) -> list[Any]:
        return list(latents(client.post(f"{path}?format=json", **options)).tolist())

    def in_json(a: Any, b: Any) -> list[Any]:
        operands = {first: a, second: b}
        body = {"operands": operands} if path == "/arithmetic" else operands
        return asked(json={**data, **body})

    files = asked(files={first: A, second: B}, data=data)
    assert files == in_json({"image": text(A)}, {"image": f"data:;base64,{text(B)}"})
    seeds = asked(files={first: (None, '{"seed": 7}'), second: (None, ' {"seed": 8}')}, data=data)
    assert seeds == in_json({"seed": 7}, {"seed": 8})
    latent = [0.25] * DIM
    mixed = asked(files={first: A}, data={**data, second: f'{{"latent": {latent}}}'})
    assert mixed == in_json({"image": text(A)}, {"latent": latent})


def test_encode_keeps_the_order_and_answers_as_npy_and_png(client: Client) -> None:
    many = means(client, A, B, C)
    for i, one in enumerate((A, B, C)):
        np.testing.assert_allclose(many[i], means(client, one)[0], atol=1e-4)
    files = [("image", data) for data in (A, B, C)]
    response = ok(client.post("/encode", files=files, headers={"Accept": "application/x-npy"}))
    assert response.headers["content-type"] == "application/x-npy"
    array = np.load(io.BytesIO(response.content))
    assert (array.dtype, array.shape) == (np.float32, (3, DIM))
    assert np.array_equal(array, many)
    copy = ok(client.post("/encode?format=png", files={"image": A}))
    assert copy.content == ok(client.post("/reconstruct", files={"image": A})).content
    back = client.post("/reconstruct?format=json", files={"image": copy.content})
    assert np.array_equal(latents(back), means(client, A))  # it carries its latent


def test_encode_says_how_sure_it_is(client: Client) -> None:
    logvar = ok(client.post("/encode", files={"image": A})).json()["latents"][0]["logvar"]
    assert len(logvar) == DIM
    assert len(set(logvar)) > 1


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_fit_may_stand_in_the_query_or_the_form(client: Client, fit: str) -> None:
    data = file(random_image(6, (2 * SIZE, SIZE)))
    query = client.post(f"/encode?fit={fit}", content=data, headers={"Content-Type": "image/png"})
    form = client.post("/encode", files={"image": data}, data={"fit": fit})
    in_json = client.post("/encode", json={"image": text(data), "fit": fit})
    assert ok(query).json() == ok(form).json() == ok(in_json).json()
    if fit != "crop":
        assert query.json() != client.post("/encode", files={"image": data}).json()


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_decode_takes_npy(client: Client, dtype: str, order: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(3, DIM)).astype(dtype)
    stream = io.BytesIO()
    np.save(stream, np.asarray(rows, order=order))
    headers = {"Content-Type": "application/x-npy", "Accept": "application/json"}
    response = client.post("/decode", content=stream.getvalue(), headers=headers)
    assert np.array_equal(latents(response), rows.astype(np.float32))
    assert np.array_equal(images(response), decoded(client, *rows))


def test_several_images_are_one_sheet_and_json_has_each(client: Client) -> None:
    rows = np.random.default_rng(0).normal(size=(3, DIM)).tolist()
    sheet = pixels(ok(client.post("/decode", json={"latents": rows})).content)
    assert sheet.shape == (2 * SIZE, 2 * SIZE, 3)
    first, second, third = decoded(client, *rows)
    white = np.full_like(first, 255)
    assert np.array_equal(sheet, np.block([[[first], [second]], [[third], [white]]]))


def test_an_interpolation_is_one_row(client: Client) -> None:
    options: Any = {"files": {"start": A, "end": B}, "data": {"steps": "5"}}
    row = pixels(ok(client.post("/interpolate", **options)).content)
    tiles = images(client.post("/interpolate?format=json", **options))
    assert np.array_equal(row, np.hstack(tiles))
    assert apart(tiles[0], tiles[-1]) > 10


def test_compare_puts_the_original_to_the_left(client: Client) -> None:
    files = [("image", A), ("image", B)]
    board = pixels(ok(client.post("/reconstruct?compare=true", files=files)).content)
    copies = images(client.post("/reconstruct?format=json", files=files))
    left = np.vstack([pixels(A), pixels(B)])
    assert np.array_equal(board, np.hstack([left, np.vstack(copies)]))


def test_headers(client: Client, models: Path) -> None:
    digest = hashlib.sha256((models / "tiny/model.safetensors").read_bytes()).hexdigest()
    requests: dict[str, dict[str, Any]] = {
        "/encode": {"files": {"image": A}},
        "/reconstruct": {"files": {"image": A}},
        "/decode": {"json": {"latents": [[0] * DIM]}},
        "/sample": {"json": {"seed": 1}},
        "/interpolate": {"json": {"start": {"seed": 1}, "end": {"seed": 2}}},
        "/arithmetic": {"json": {"expression": "glasses"}},
    }
    for path, options in requests.items():
        response = ok(client.post(path, **options))
        assert response.headers["lorgnette-model"] == f"tiny@{digest[:12]}"
        timing = re.fullmatch(
            r"queue;dur=(\d+\.\d+), model;dur=(\d+\.\d+), encode;dur=(\d+\.\d+)",
            response.headers["server-timing"],
        )
        assert timing
        assert float(timing[2]) > 0
        assert ("lorgnette-seed" in response.headers) == (path == "/sample")


def test_two_models(client: Client, models: Path) -> None:
    listed = ok(client.get("/models")).json()["models"]
    assert [model["name"] for model in listed] == ["tiny", "grey"]
    for model in listed:
        assert model == client.get(f"/models/{model['name']}").json()
        data = (models / model["name"] / "model.safetensors").read_bytes()
        assert model["sha256"] == hashlib.sha256(data).hexdigest()
        assert model["id"] == f"{model['name']}@{model['sha256'][:12]}"
    assert [model["config"]["latent_dim"] for model in listed] == [DIM, 5]
    assert listed[0]["metrics"] == {"psnr_db": 20.0, "pictures": 4}
    assert listed[0]["provenance"] == {"data": "noise"}
    problem(client.get("/models/cats"), 404, "cats", "tiny, grey")


def test_the_model_is_picked_in_the_query_and_the_first_is_the_default(client: Client) -> None:
    grey = ok(client.post("/sample?model=grey", json={"seed": 1}))
    assert grey.headers["lorgnette-model"].startswith("grey@")
    assert pixels(grey.content).shape == (SIZE, SIZE)
    assert latents(client.post("/sample?model=grey&format=json")).shape == (1, 5)
    assert latents(client.post("/sample?format=json")).shape == (1, DIM)
    by_name, by_default = (
        client.post(f"/sample{q}", json={"seed": 1}) for q in ("?model=tiny", "")
    )
    assert by_name.content == by_default.content
    own = client.post("/reconstruct?model=grey&format=json", files={"image": grey.content})
    other = client.post("/reconstruct?format=json", files={"image": grey.content})
    assert (latents(own).shape, latents(other).shape) == ((1, 5), (1, DIM))
    problem(client.post("/decode?model=grey", json={"latents": [[0] * DIM]}), 422, "8", "5")


def test_directions(client: Client) -> None:
    response = ok(client.get("/directions?model=grey")).json()
    assert response["model"].startswith("grey@")
    assert [d["name"] for d in response["directions"]] == ["glasses", "smile"]
    for direction in response["directions"]:
        [vector] = latents(
            client.post(
                "/arithmetic?format=json&model=grey", json={"expression": direction["name"]}
            )
        )
        assert direction["scale"] == pytest.approx(np.linalg.norm(vector), rel=1e-5)
        assert direction["meaning"] == f"{direction['name']}: from without to with"
        assert (direction["method"], direction["count"]) == ("regression", 40)
    problem(client.get("/directions?model=cats"), 404, "cats")


def test_health(client: Client) -> None:
    assert ok(client.get("/health/live")).json() == {"status": "live"}
    assert ok(client.get("/health/ready")).json() == {"status": "ready"}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (["*/*"], "image/png"),
        (["application/json"], "application/json"),
        (["image/png;q=0.1, application/json;q=0.9"], "application/json"),
        (["image/png;q=0, */*"], "application/json"),
        (["text/html", "application/json"], "application/json"),  # two lines are one list
    ],
)
def test_the_answer_is_what_the_caller_accepts(
    client: Client, accept: list[str], media_type: str
) -> None:
    response = ok(client.post("/sample", headers=[("Accept", line) for line in accept]))
    assert response.headers["content-type"] == media_type
    assert "Accept" in response.headers["vary"].split(", ")

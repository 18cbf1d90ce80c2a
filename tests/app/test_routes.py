import base64
import hashlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx import Client, Response
from PIL import Image, PngImagePlugin

from tests.app.conftest import DIM, SIZE, file, picture, pixels

A, B, C = (file(picture(seed)) for seed in (1, 2, 3))


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def ok(answer: Response) -> Response:
    assert answer.status_code == 200, answer.text
    return answer


def means(client: Client, *files: bytes) -> np.ndarray[Any, np.dtype[np.float64]]:
    answer = client.post("/encode", files=[("image", data) for data in files])
    return np.array([row["mean"] for row in ok(answer).json()["latents"]])


def decoded(client: Client, *latents: Any) -> Response:
    return ok(client.post("/decode", json={"latents": [list(map(float, z)) for z in latents]}))


@pytest.mark.parametrize(
    "options",
    [
        {"files": {"image": A}},
        {"content": A, "headers": {"Content-Type": "image/png"}},
        {"content": A, "headers": {"Content-Type": "application/octet-stream"}},
        {"json": {"image": text(A)}},
        {"json": {"image": [f"data:image/png;base64,{text(A)}"]}},
    ],
    ids=["multipart", "raw", "octets", "base64", "data-uri"],
)
def test_a_picture_may_come_in_any_form(client: Client, options: dict[str, Any]) -> None:
    body = ok(client.post("/encode", **options)).json()
    np.testing.assert_allclose(body["latents"][0]["mean"], means(client, A)[0], atol=1e-5)
    assert len(body["latents"][0]["logvar"]) == DIM


def test_encode_keeps_the_order_and_answers_as_npy_and_png(client: Client) -> None:
    many = means(client, A, B, C)
    np.testing.assert_allclose(many[1], means(client, B)[0], atol=1e-4)
    files = [("image", A), ("image", B)]
    answer = ok(client.post("/encode", files=files, headers={"Accept": "application/x-npy"}))
    array = np.load(io.BytesIO(answer.content))
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, many[:2], atol=1e-4)
    copies = ok(client.post("/encode?format=png", files={"image": A}))
    assert copies.content == ok(client.post("/reconstruct", files={"image": A})).content


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_decode_takes_npy(client: Client, dtype: str, order: Any) -> None:
    latents = np.random.default_rng(0).normal(size=(3, DIM)).astype(dtype)
    stream = io.BytesIO()
    np.save(stream, np.asarray(latents, order=order))
    answer = client.post(
        "/decode", content=stream.getvalue(), headers={"Content-Type": "application/x-npy"}
    )
    expected = pixels(decoded(client, *latents).content).astype(int)
    assert np.abs(pixels(ok(answer).content) - expected).max() <= 1


def test_several_pictures_are_one_sheet_and_json_has_each(client: Client) -> None:
    latents = np.random.default_rng(0).normal(size=(3, DIM))
    sheet = pixels(decoded(client, *latents).content)
    assert sheet.shape == (2 * SIZE, 2 * SIZE, 3)
    assert (sheet[SIZE:, SIZE:] == 255).all()  # the tile that is not there
    body = client.post("/decode?format=json", json={"latents": latents.tolist()}).json()
    tiles = [pixels(base64.b64decode(image)) for image in body["images"]]
    assert np.array_equal(sheet[:SIZE, SIZE:], tiles[1])
    np.testing.assert_allclose(body["latents"], latents, atol=1e-6)


def test_a_sample_has_the_seed_it_says_alone_and_among_others(client: Client) -> None:
    six = client.post("/sample?format=json", json={"n": 6, "seed": 1}).json()
    assert six["seeds"] == [1, 2, 3, 4, 5, 6]
    one = ok(client.post("/sample", json={"seed": 3}))
    assert one.headers["lorgnette-seed"] == "3"
    third = pixels(base64.b64decode(six["images"][2])).astype(int)
    assert np.abs(pixels(one.content) - third).max() <= 1
    again = pixels(decoded(client, six["latents"][2]).content)
    assert np.abs(again - third).max() <= 1


def test_samples_without_a_seed_differ(client: Client) -> None:
    first, second = (ok(client.post("/sample")) for _ in range(2))
    assert first.headers["lorgnette-seed"] != second.headers["lorgnette-seed"]
    assert first.content != second.content


def test_temperature_and_prior(client: Client) -> None:
    def latents(**body: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        answer = client.post("/sample?format=json", json={"n": 2, "seed": 5, **body})
        return np.array(ok(answer).json()["latents"])

    still = latents(temperature=0)
    np.testing.assert_allclose(still[0], still[1])
    np.testing.assert_allclose(latents(temperature=2) - still, 2 * (latents() - still), atol=1e-5)
    np.testing.assert_allclose(latents(prior="standard", temperature=0), 0)


@pytest.mark.parametrize("method", ["slerp", "lerp"])
def test_interpolate_includes_both_ends_and_is_one_row(client: Client, method: str) -> None:
    data = {"steps": "5", "method": method}
    files = {"start": A, "end": B}
    answer = ok(client.post("/interpolate?format=json", files=files, data=data))
    latents = np.array(answer.json()["latents"])
    np.testing.assert_allclose(latents[[0, -1]], means(client, A, B), atol=1e-4)
    if method == "lerp":
        np.testing.assert_allclose(latents[2], latents[[0, -1]].mean(0), atol=1e-5)
    row = ok(client.post("/interpolate", files=files, data=data))
    assert pixels(row.content).shape == (SIZE, 5 * SIZE, 3)


def test_operands_of_every_kind(client: Client) -> None:
    latent = [0.1] * DIM
    seeded = client.post("/sample?format=json", json={"seed": 7}).json()["latents"][0]
    body = {"start": {"latent": latent}, "end": {"seed": 7}, "steps": 2}
    by_json = ok(client.post("/interpolate?format=json", json=body)).json()["latents"]
    np.testing.assert_allclose(by_json, [latent, seeded], atol=1e-6)
    form = {"end": '{"seed": 7}', "steps": "2"}
    by_form = client.post("/interpolate?format=json", files={"start": A}, data=form)
    np.testing.assert_allclose(ok(by_form).json()["latents"][1], seeded, atol=1e-6)


def arithmetic(client: Client, expression: str, **options: Any) -> Response:
    data = {"expression": expression, **options.pop("data", {})}
    return client.post("/arithmetic?format=json", data=data, **options)


def test_names_are_means_of_encoded_means(client: Client) -> None:
    files = [("men", A), ("men", B), ("women", C), ("her", B)]
    body = ok(arithmetic(client, "men - 0.5*women + her", files=files)).json()
    a, b, c = means(client, A, B, C)
    np.testing.assert_allclose(body["latents"][0], (a + b) / 2 - 0.5 * c + b, atol=1e-4)


def test_directions_and_what_shadows_them(client: Client) -> None:
    plain, added = (
        np.array(ok(arithmetic(client, text, files={"me": A})).json()["latents"][0])
        for text in ("me", "me + 1.5*glasses")
    )
    listed = client.get("/directions").json()["directions"]
    assert [d["name"] for d in listed] == ["glasses", "smile"]
    assert np.linalg.norm(added - plain) == pytest.approx(1.5 * listed[0]["scale"], rel=1e-4)
    shadowed = arithmetic(client, "me + glasses", files={"me": A, "glasses": B})
    np.testing.assert_allclose(
        ok(shadowed).json()["latents"][0], means(client, A, B).sum(0), atol=1e-4
    )
    alone = ok(client.post("/arithmetic?format=json", json={"expression": "-glasses + smile"}))
    assert np.linalg.norm(alone.json()["latents"]) > 0


def test_preserve_keeps_the_pixels_that_the_edit_does_not_change(client: Client) -> None:
    files = [("men", B), ("men", C), ("her", A)]
    for expression in ("her", "men - men + her"):
        body = arithmetic(
            client,
            expression,
            files=files if "men" in expression else {"her": A},
            data={"preserve": "1"},
        )
        image = pixels(base64.b64decode(ok(body).json()["images"][0]))
        assert np.abs(image.astype(int) - pixels(A)).max() <= 1


def test_a_picture_remembers_its_latent(client: Client) -> None:
    drawn = ok(client.post("/sample", json={"seed": 11})).content
    latent = client.post("/sample?format=json", json={"seed": 11}).json()["latents"]
    back = client.post("/reconstruct?format=json", files={"image": drawn}).json()
    assert back["latents"] == latent
    anew = client.post("/reconstruct?format=json&embedded=false", files={"image": drawn}).json()
    np.testing.assert_allclose(anew["latents"], means(client, drawn), atol=1e-4)
    assert anew["latents"] != latent


def test_a_picture_that_was_painted_on_is_encoded_like_any_other(client: Client) -> None:
    drawn = Image.open(io.BytesIO(ok(client.post("/sample", json={"seed": 11})).content))
    note = PngImagePlugin.PngInfo()
    note.add_text("lorgnette", str(drawn.info["lorgnette"]))
    painted = drawn.copy()
    painted.paste((255, 0, 0), (0, 0, 8, 8))
    data = file(painted, pnginfo=note)
    back = client.post("/reconstruct?format=json", files={"image": data}).json()
    np.testing.assert_allclose(back["latents"], means(client, data), atol=1e-4)
    for nonsense in ("", "{", "[]", '{"pixels": 1}', '{"model": 3, "latent": "AAAA"}'):
        note = PngImagePlugin.PngInfo()
        note.add_text("lorgnette", nonsense)
        ok(client.post("/reconstruct", files={"image": file(painted, pnginfo=note)}))


def test_compare_puts_the_original_to_the_left(client: Client) -> None:
    answer = ok(client.post("/reconstruct?compare=true", files={"image": A}))
    board = pixels(answer.content)
    assert np.array_equal(board[:, :SIZE], pixels(A))
    alone = pixels(ok(client.post("/reconstruct", files={"image": A})).content)
    assert np.array_equal(board[:, SIZE:], alone)


def test_headers(client: Client, models: Path) -> None:
    answer = ok(client.post("/sample", json={"seed": 1}, headers={"X-Request-ID": "mine-1"}))
    digest = hashlib.sha256((models / "tiny/model.safetensors").read_bytes()).hexdigest()
    assert answer.headers["lorgnette-model"] == f"tiny@{digest[:12]}"
    assert re.fullmatch(
        r"queue;dur=[\d.]+, model;dur=[\d.]+, png;dur=[\d.]+", answer.headers["server-timing"]
    )
    assert answer.headers["x-request-id"] == "mine-1"
    for hostile in ("a b", "x" * 200, ""):
        given = client.get("/health/live", headers={"X-Request-ID": hostile})
        assert re.fullmatch(r"[0-9a-f]{32}", given.headers["x-request-id"])


def test_two_models_and_what_is_known_of_them(client: Client) -> None:
    listed = client.get("/models").json()["models"]
    assert [m["name"] for m in listed] == ["tiny", "grey"]
    assert listed[1] == client.get("/models/grey").json()
    assert listed[1]["config"]["latent_dim"] == 5
    assert listed[0]["metrics"]["psnr_db"] == 20.0
    grey = ok(client.post("/sample?model=grey", json={"seed": 1}))
    assert pixels(grey.content).shape == (SIZE, SIZE)
    ok(client.post("/reconstruct?model=grey", files={"image": A}))


def test_health(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "image/png"),
        ("image/*", "image/png"),
        ("application/json", "application/json"),
        ("image/png;q=0.1, application/json;q=0.9", "application/json"),
        ("text/html, image/png;q=0.2", "image/png"),
        ("image/png;q=0, */*", "application/json"),
    ],
)
def test_the_answer_is_what_the_caller_accepts(
    client: Client, accept: str, media_type: str
) -> None:
    answer = ok(client.post("/sample", headers={"Accept": accept}))
    assert answer.headers["content-type"] == media_type

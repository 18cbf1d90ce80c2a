"""The mathematics, through the door."""

from typing import Any

import numpy as np
import pytest
import torch
from httpx import Client, Response

from tests.app.conftest import (
    DIM,
    SIZE,
    Latents,
    apart,
    decoded,
    file,
    images,
    latents,
    means,
    ok,
    picture,
    pixels,
    problem,
    tiny_checkpoint,
    two_clumps,
)

A, B, C = (file(picture(seed)) for seed in (1, 2, 3))
TINY = tiny_checkpoint(0)


def noise(seed: int, dim: int = DIM) -> Latents:
    return torch.randn(dim, generator=torch.Generator().manual_seed(seed)).double().numpy()


def sampled(client: Client, model: str = "tiny", **body: Any) -> Response:
    return client.post(f"/sample?format=json&model={model}", json=body)


def test_a_sample_is_the_decode_of_its_latent(client: Client) -> None:
    for body in ({"n": 1}, {"n": 5}, {"n": 2, "temperature": 0.5}, {"n": 3, "prior": "standard"}):
        answer = sampled(client, seed=3, **body)
        assert np.array_equal(images(answer), decoded(client, *latents(answer)))


def test_a_latent_is_drawn_from_the_fitted_gaussian(client: Client) -> None:
    variances, axes = np.linalg.eigh(TINY.statistics.covariance.double().numpy())
    factor = axes * np.sqrt(variances) @ axes.T
    mean = TINY.statistics.mean.double().numpy()
    for temperature in (0, 0.7, 2):
        found = latents(sampled(client, n=2, seed=5, temperature=temperature))
        expected = [mean + temperature * factor @ noise(seed) for seed in (5, 6)]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_or_from_the_standard_one(client: Client) -> None:
    found = latents(sampled(client, n=2, seed=5, temperature=0.7, prior="standard"))
    np.testing.assert_allclose(found, [0.7 * noise(5), 0.7 * noise(6)], atol=1e-6)


def test_or_from_the_mixture_of_a_model_that_has_one(client: Client) -> None:
    mixture = two_clumps(5)
    still = latents(sampled(client, "grey", n=40, temperature=0, seed=0))
    assert {row[0] for row in still} == {-2.0, 2.0}  # the mean of one component each
    assert 0.5 < (still[:, 0] == 2.0).mean() < 0.9
    moved = latents(sampled(client, "grey", n=40, seed=0))
    for seed, (before, after) in enumerate(zip(still, moved, strict=True)):
        scale = mixture.factors[int(before[0] > 0)][0, 0].item()
        np.testing.assert_allclose(after - before, scale * noise(seed, 5), atol=1e-5)


def test_temperature_0_is_the_mean_picture(client: Client) -> None:
    [mean_picture] = decoded(client, TINY.statistics.mean)
    for image in images(sampled(client, n=3, temperature=0)):
        assert apart(image, mean_picture) <= 1


def test_picture_i_has_seed_plus_i(client: Client) -> None:
    six = sampled(client, n=6, seed=1)
    assert six.json()["seeds"] == [1, 2, 3, 4, 5, 6]
    one = sampled(client, n=1, seed=3)
    assert one.headers["lorgnette-seed"] == "3"
    assert np.array_equal(latents(six)[2], latents(one)[0])
    assert apart(images(six)[2], images(one)[0]) <= 1
    assert apart(images(six)[1], images(one)[0]) > 10
    last = sampled(client, n=2, seed=2**53 - 2)
    assert last.json()["seeds"] == [2**53 - 2, 2**53 - 1]


def test_samples_without_a_seed_differ(client: Client) -> None:
    first, second = (sampled(client, n=1) for _ in range(2))
    assert first.headers["lorgnette-seed"] != second.headers["lorgnette-seed"]
    assert apart(images(first)[0], images(second)[0]) > 0
    again = sampled(client, seed=int(first.headers["lorgnette-seed"]))
    assert np.array_equal(images(again), images(first))


@pytest.mark.parametrize("method", ["slerp", "lerp"])
@pytest.mark.parametrize("steps", [2, 5, 64])
def test_a_path_has_both_ends_exactly(client: Client, method: str, steps: int) -> None:
    data = {"steps": str(steps), "method": method}
    answer = client.post("/interpolate?format=json", files={"start": A, "end": B}, data=data)
    path = latents(answer)
    assert path.shape == (steps, DIM)
    assert np.array_equal(path[[0, -1]], means(client, A, B))
    assert np.array_equal(images(answer), decoded(client, *path))


def test_what_lies_between(client: Client) -> None:
    start, end = [3.0] + [0.0] * 7, [0.0] * 7 + [4.0]
    body: dict[str, Any] = {"start": {"latent": start}, "end": {"latent": end}, "steps": 3}
    row = latents(client.post("/interpolate?format=json", json=body))
    np.testing.assert_allclose(row[1], (np.array(start) + end) * np.sin(np.pi / 4), atol=1e-6)
    row = latents(client.post("/interpolate?format=json", json={**body, "method": "lerp"}))
    np.testing.assert_allclose(row[1], (np.array(start) + end) / 2, atol=1e-6)


def test_operands_of_every_kind(client: Client) -> None:
    latent = [0.1] * DIM
    seeded = latents(sampled(client, seed=7))[0]
    body = {"start": {"latent": latent}, "end": {"seed": 7}, "steps": 2}
    by_json = latents(client.post("/interpolate?format=json", json=body))
    np.testing.assert_allclose(by_json, [latent, seeded], atol=1e-6)
    form = {"end": '{"seed": 7}', "steps": "2"}
    by_form = client.post("/interpolate?format=json", files={"start": A}, data=form)
    assert np.array_equal(latents(by_form)[1], seeded)


def arithmetic(client: Client, expression: str, **options: Any) -> Response:
    data = {"expression": expression, **options.pop("data", {})}
    return client.post("/arithmetic?format=json", data=data, **options)


def test_a_minus_a_plus_b_is_b(client: Client) -> None:
    answer = arithmetic(client, "a - a + b", files={"a": A, "b": B})
    [copy] = images(client.post("/reconstruct?format=json", files={"image": B}))
    assert apart(images(answer)[0], copy) <= 1


def test_several_pictures_are_the_mean_of_their_encoded_means(client: Client) -> None:
    answer = arithmetic(client, "men", files=[("men", data) for data in (A, B, C)])
    expected = means(client, A, B, C).mean(0)
    np.testing.assert_allclose(latents(answer)[0], expected, atol=1e-4)
    assert apart(images(answer)[0], decoded(client, expected)[0]) <= 1
    again = arithmetic(client, "men", files=[("men", data) for data in (A, B, C)])
    assert answer.content == again.content  # nothing is drawn by chance


def test_a_weighted_sum_of_names(client: Client) -> None:
    files = [("men", A), ("men", B), ("women", C), ("her", B)]
    a, b, c = means(client, A, B, C)
    for text, expected in {
        "men - 0.5*women + her": (a + b) / 2 - 0.5 * c + b,
        "-2*her + women - men": -2 * b + c - (a + b) / 2,
        "men + her + women - women - her": (a + b) / 2,
    }.items():
        found = latents(arithmetic(client, text, files=files))[0]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_named_direction_is_added(client: Client) -> None:
    glasses, smile = (d.vector.double().numpy() for d in TINY.directions.values())
    [b] = means(client, B)
    found = latents(arithmetic(client, "b + 1.5*glasses - smile", files={"b": B}))[0]
    np.testing.assert_allclose(found, b + 1.5 * glasses - smile, atol=1e-4)
    alone = client.post("/arithmetic?format=json", json={"expression": "smile"})
    np.testing.assert_allclose(latents(alone)[0], smile, atol=1e-6)


def test_a_direction_that_is_taken_away_takes_its_kinds_along(client: Client) -> None:
    direction = TINY.directions["glasses"]
    assert direction.within_label is not None
    [b] = means(client, B)
    step = direction.vector.double().numpy()
    rows, centre = (
        t.double().numpy() for t in (direction.within_label.rows, direction.within_label.centre)
    )
    for weight in (0.5, 1.0, 2.0):
        found = latents(arithmetic(client, f"b - {weight}*glasses", files={"b": B}))[0]
        expected = b - weight * step - min(weight, 1) * (rows @ b - centre) @ rows
        np.testing.assert_allclose(found, expected, atol=1e-4)
    named = {d["name"]: d["kinds"] for d in client.get("/directions").json()["directions"]}
    assert named == {"glasses": 2, "smile": 0}


def test_an_operand_goes_before_a_direction_of_its_name(client: Client) -> None:
    answer = arithmetic(client, "me + glasses", files={"me": A, "glasses": B})
    np.testing.assert_allclose(latents(answer)[0], means(client, A, B).sum(0), atol=1e-4)


@pytest.mark.parametrize("digits", [10, 50, 400])
def test_a_sum_too_large_for_a_latent_is_refused(client: Client, digits: int) -> None:
    json = {"expression": "9" * digits + "*glasses"}
    body = problem(client.post("/arithmetic", json=json), 422, "1000000")
    assert body["errors"][0]["pointer"] == "#/expression"


def test_preserve_1_without_an_edit_is_the_original(client: Client) -> None:
    answer = arithmetic(client, "her", files={"her": A}, data={"preserve": "1"})
    assert np.array_equal(images(answer)[0], pixels(A))
    files = [("men", B), ("men", C), ("her", A)]
    answer = arithmetic(client, "men - men + her", files=files, data={"preserve": "1"})
    assert apart(images(answer)[0], pixels(A)) <= 1


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_preserve_adds_what_the_model_could_not_draw(client: Client, share: float) -> None:
    data = {"preserve": str(share)}
    answer = arithmetic(client, "me + 0.5*glasses", files={"me": A}, data=data)
    edited, plain = (
        image.astype(float) for image in decoded(client, latents(answer)[0], *means(client, A))
    )
    expected = (edited + share * (pixels(A) - plain)).round().clip(0, 255).astype(np.uint8)
    assert apart(expected, edited.astype(np.uint8)) > 10
    assert apart(images(answer)[0], expected) <= 1


def test_preserve_keeps_the_first_single_picture_that_is_added(client: Client) -> None:
    files = [("off", B), ("men", B), ("men", C), ("her", A), ("him", C)]
    data = {"preserve": "1"}
    answer = arithmetic(client, "-off + off + men - men + her - him + him", files=files, data=data)
    left = apart(images(answer)[0], pixels(A))
    assert images(answer)[0].shape == (SIZE, SIZE, 3)
    assert left > 1  # "off" comes first where it is added
    answer = arithmetic(client, "men - men + her", files=files[1:4], data=data)
    assert apart(images(answer)[0], pixels(A)) <= 1


@pytest.mark.parametrize(
    ("text", "operands"),
    [
        ("glasses", {}),
        ("a", {"a": {"seed": 1}}),
        ("a", {"a": {"latent": [0.0] * DIM}}),
    ],
)
def test_preserve_needs_a_picture(client: Client, text: str, operands: dict[str, Any]) -> None:
    body = {"expression": text, "operands": operands, "preserve": 0.5}
    found = problem(client.post("/arithmetic", json=body), 422, "one picture")
    assert found["errors"][0]["pointer"] == "#/preserve"
    ok(client.post("/arithmetic", json={**body, "preserve": 0}))


@pytest.mark.parametrize(("text", "files"), [("-a", [A]), ("0*a", [A]), ("a", [A, B])])
def test_preserve_needs_one_that_is_added(client: Client, text: str, files: list[bytes]) -> None:
    parts = [("a", data) for data in files]
    problem(arithmetic(client, text, files=parts, data={"preserve": "1"}), 422, "one picture")

"""A client that openapi-python-client makes of ``openapi.json`` calls every endpoint."""

import importlib
import io
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.app.conftest import DIM, SIZE, file, means, random_image

DOCUMENT = Path(__file__).parents[3] / "openapi.json"
PACKAGE = "generated_lorgnette"
Call = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The generated package can be imported, every module of it."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yaml").write_text("post_hooks: []\n")  # which would format it
    words = ["generate", "--path", str(DOCUMENT), "--config", str(folder / "config.yaml")]
    more = ["--meta", "none", "--output-path", str(folder / PACKAGE)]
    command = [sys.executable, "-m", "openapi_python_client", *words, *more]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    sys.path.insert(0, str(folder))
    try:
        for module in pkgutil.walk_packages([str(folder / PACKAGE)], f"{PACKAGE}."):
            importlib.import_module(module.name)
    finally:
        sys.path.remove(str(folder))


def generated(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}")


def part(data: bytes) -> Any:
    return generated("types").File(io.BytesIO(data), "image.png", "image/png")


@pytest.fixture
def call(client: httpx.Client) -> Call:
    """Calls the function of an operation, with the response as JSON where it has images."""

    def call(operation: str, *path: str, **options: Any) -> Any:
        with generated("client").Client(base_url=str(client.base_url)) as service:
            return generated(f"api.default.{operation}").sync(*path, client=service, **options)

    return call


def body(name: str, **fields: Any) -> Any:
    return getattr(generated("models"), name)(**fields)


def operand(**fields: Any) -> Any:
    return body("Operand", **fields)


def test_sample_and_decode(call: Call) -> None:
    found = call("sample", body=body("SampleSampleRequest", n=2, seed=4), format_="json")
    assert found.seeds == [4, 5]
    assert [len(latent) for latent in found.latents] == [DIM] * 2
    again = call("sample_by_query", n=2, seed=4, format_="json")
    assert again.images == found.images
    request = body("DecodeJsonDecodeRequest", latents=found.latents)
    assert call("decode", body=request, format_="json").latents == found.latents


def test_a_form_of_images(call: Call, client: httpx.Client) -> None:
    data = [file(random_image(1)), file(random_image(2))]
    found = call("encode", body=body("EncodeFilesBody", image=list(map(part, data))))
    expected = means(client, *data)
    assert [row.mean for row in found.latents] == [pytest.approx(row, abs=1e-4) for row in expected]
    copies = body("ReconstructFilesBody", image=list(map(part, data)), compare=True, detail=0.0)
    assert len(call("reconstruct", body=copies, format_="json").images) == 4
    assert call("faces", body=body("FacesFilesBody", image=[part(data[0])])).images[0].faces == []


def test_forms_of_operands(call: Call, client: httpx.Client) -> None:
    data = file(random_image(1))
    [mean] = means(client, data)
    path = body("InterpolateFilesBody", start=[part(data)], end=[part(data)], steps=2)
    assert call("interpolate", body=path, format_="json").latents[0] == pytest.approx(
        mean, abs=1e-4
    )
    row = body("TraverseFilesBody", operand=[part(data)], along="smile", low=0.0, steps=3)
    assert call("traverse", body=row, format_="json").latents[0] == pytest.approx(mean, abs=1e-4)
    expression = body("ArithmeticFilesBody", expression="2*me", embedded=False)
    expression["me"] = part(data)
    found = call("arithmetic", body=expression, format_="json")
    assert found.latents[0] == pytest.approx(2 * mean, abs=1e-4)


def test_an_image_and_its_mask(call: Call) -> None:
    image, mask = file(random_image(1)), file(Image.linear_gradient("L").resize((SIZE, SIZE)))
    form = body("InpaintFilesBody", image=part(image), mask=part(mask), n=2, seed=4)
    assert call("inpaint", body=form, format_="json").seeds == [4, 5]
    [found] = call("score", body=body("ScoreFilesBody", image=[part(image)])).scores
    assert found.elbo_nats == pytest.approx(-found.distortion_nats - found.kl_nats)
    assert found.percentile is None


def test_operands_as_json(call: Call) -> None:
    names = body("ArithmeticJsonArithmeticRequestOperands")
    names["me"] = [operand(seed=3)]
    request = body("ArithmeticJsonArithmeticRequest", expression="me", operands=names)
    found = call("arithmetic", body=request, format_="json")
    assert found.latents == call("sample_by_query", seed=3, format_="json").latents


def test_directions(call: Call) -> None:
    groups = body("PutDirectionFilesBody", with_=[part(file(random_image(1)))], label="glasses")
    made = call("put_direction", "generated", body=groups)
    assert (made.name, made.count) == ("generated", 1)
    assert call("direction", "generated") == made
    assert made in call("directions").directions
    shown = call("preview_direction", "generated", steps=2, format_="json")
    assert len(shown.images) == 2
    call("delete_direction", "generated")
    missing = call("direction", "generated")
    assert (missing.status, missing.type_) == (404, "urn:lorgnette:unknown-direction")


def test_what_is_loaded(call: Call) -> None:
    [tiny, grey] = call("models").models
    assert call("model_info", "grey").id == grey.id
    again = call("reload_model", "grey")
    assert (again.outcome, again.model.id) == ("unchanged", grey.id)
    assert tiny.config["latent_dim"] == DIM
    assert call("live").status == "live"
    assert call("ready").status == "ready"


def test_every_operation_is_there() -> None:
    folder = SimpleNamespace(path=generated("api.default").__path__)
    found = {module.name for module in pkgutil.iter_modules(folder.path)}
    assert found >= {"encode", "sample", "put_direction", "metrics"}
    assert len(found) == 22

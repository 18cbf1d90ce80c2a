"""The benchmark: its arithmetic always, its harness where wrk is there. Nothing is timed."""

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import cells, encoders, plots, report, works
from benchmarks.servers import work as servers
from benchmarks.systems import SYSTEMS
from benchmarks.works import WORKS
from tests.benchmarks.quick import ROOT, bench

FOLDER = ROOT / "benchmarks" / "requirements"
LOCKS = sorted(FOLDER.glob("*.lock"))
SHARED = ("isal", "numpy", "pillow", "safetensors", "torch")
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


def cell(**changes: Any) -> dict[str, Any]:
    figures = {
        "system": "lorgnette",
        "work": "sample",
        "concurrency": 8,
        "round": 0,
        "requests": 100,
        "images_per_second": 50.0,
        **dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), 10.0),
        "cpu_seconds_per_image": 0.01,
        "cpu_cores": 1.5,
        "rss_bytes": 5e8,
        "pss_bytes": 4e8,
        "errors": {},
    }
    return figures | changes


def test_requests_are_the_same_each_time() -> None:
    for work in WORKS.values():
        assert work.body(3) == work.body(3)
        assert work.body(3) != work.body(4)


def test_inputs_are_drawn_jpegs_of_the_models_size() -> None:
    image = Image.open(io.BytesIO(works.jpeg(0)))
    assert (image.format, image.size) == ("JPEG", (256, 256))


def test_responses_have_the_tiles_that_lorgnette_gives() -> None:
    sizes = {name: (work.width // 256, work.height // 256) for name, work in WORKS.items()}
    assert sizes == {
        "sample": (1, 1),
        "sheet": (4, 4),
        "reconstruct": (1, 1),
        "interpolate": (8, 1),
        "arithmetic": (1, 1),
    }


def test_a_sheet_is_filled_row_by_row() -> None:
    tiles = np.arange(4, dtype=np.uint8).repeat(3).reshape(4, 1, 1, 3)
    assert servers.sheet(tiles, 2)[:, :, 0].tolist() == [[0, 1], [2, 3]]


def test_animations_are_measured_against_pillow(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    found = encoders.animations_alone(tmp_path / "images.npy")
    assert found.keys() == {"APNG", "APNG, Pillow", "GIF", "GIF, Pillow"}
    for name, figures in found.items():
        assert figures["bytes"] > 0
        assert figures["ratio"] > 0 if "Pillow" not in name else figures["ratio"] == 1


@pytest.mark.parametrize("name", encoders.png_encoders())
def test_every_encoder_that_is_here_is_lossless(name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    assert encoders.checked_size(encoders.png_encoders()[name], pixels) > 0


def test_rounds_become_medians_and_errors_add_up() -> None:
    speeds = (10.0, 30.0, 20.0)
    rounds = [cell(round=i, images_per_second=s, errors={"lost": 1}) for i, s in enumerate(speeds)]
    merged = cells.medians(rounds)["lorgnette", "sample", 8]
    assert merged["images_per_second"] == 20.0
    assert (merged["slowest"], merged["fastest"]) == (10.0, 30.0)
    assert (merged["errors"], merged["requests"], merged["rounds"]) == (3, 300, 3)


def test_a_ratio_is_to_the_best_of_the_others() -> None:
    speeds = {"lorgnette": 60.0, "naive": 15.0, "litserve": 20.0, "ray": 30.0}
    latencies = {"lorgnette": 10.0, "naive": 8.0, "litserve": 20.0, "ray": 16.0}
    rounds = [
        cell(system=name, images_per_second=speed, p50_ms=latencies[name])
        for name, speed in speeds.items()
    ]
    table = report.ratios(cells.medians(rounds))
    assert table.endswith("| sample, 8 | 4.00 (naive) | 2.00 (ray) | 1.25 (naive) |")


def test_the_bound_of_a_work_counts_what_it_encodes_and_decodes() -> None:
    speeds = {"encode": {1: 100.0, 8: 200.0}, "decode": {1: 50.0, 8: 100.0}}
    assert cells.model_bound("sample", speeds) == pytest.approx(100.0)
    assert cells.model_bound("reconstruct", speeds) == pytest.approx(1 / (1 / 200 + 1 / 100))
    assert cells.model_bound("interpolate", speeds) == pytest.approx(8 / (2 / 200 + 8 / 100))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_has_hashes_and_no_addresses(lock: Path) -> None:
    lines = re.sub(r"\s*\\\n\s*", " ", lock.read_text()).splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"[^ ]+==[^ ]+( ; .+?)?( --hash=sha256:[0-9a-f]{64})+", line), line


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_the_others_run_our_pytorch(lock: Path) -> None:
    ours, theirs = pinned(ROOT / "requirements.lock"), pinned(lock)
    assert {k: theirs[k] for k in theirs if k[0] in SHARED} == {
        k: ours[k] for k in theirs if k[0] in SHARED
    }


def pinned(lock: Path) -> dict[tuple[str, str], str]:
    """Versions by name and marker."""
    found = re.findall(r"^([^ =]+)==([^ ]+)(?: ; ([^\\\n]+))?", lock.read_text(), re.MULTILINE)
    return {(name, marker.strip()): version for name, version, marker in found}


def test_every_competitor_has_a_lock_for_each_of_its_requirements() -> None:
    competitors = {system.venv.name for system in SYSTEMS.values()} - {".venv"}
    assert competitors | {"codecs"} == {lock.stem for lock in LOCKS}
    for lock in LOCKS:
        names = {re.split(r"[\[>=]", line)[0] for line in requirements(lock.with_suffix(".in"))}
        assert names <= {name for name, _ in pinned(lock)}


def requirements(file: Path) -> list[str]:
    return file.read_text().split()


@needs_wrk
@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_harness_compares_lorgnette_with_the_naive_server(tmp_path: Path) -> None:
    record = bench(tmp_path, "compare", "--systems", "lorgnette", "naive")
    raw = json.loads((tmp_path / "comparison.json").read_text())
    measured = raw["cells"]
    assert max(raw["max_difference"]["lorgnette"]) <= 1  # grey levels
    assert {(c["system"], c["work"]) for c in measured} == {
        *((system, work) for system in ("lorgnette", "naive") for work in WORKS),
        ("stored", "sample"),
    }
    for found in measured:
        assert found["errors"] == {}
        assert found["requests"] > 0
        assert found["rss_bytes"] > 0
        assert found["cpu_seconds_per_image"] is not None
    table = (tmp_path / "comparison.md").read_text()
    assert "Lorgnette's fraction" in table
    assert {"comparison.md", "comparison.png", "limits.png"} <= record


@needs_wrk
@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_harness_draws_the_curves(tmp_path: Path) -> None:
    record = bench(tmp_path, "curves")
    found = json.loads((tmp_path / "curves.json").read_text())
    assert {point["curve"] for point in found["points"]} == set(plots.CURVES)
    assert all(point["errors"] == {} for point in found["points"])
    assert found["memory"]["requests"] >= 16
    assert {"curves.md", "curves.png"} <= record


def test_the_readme_quotes_what_was_measured() -> None:
    record = json.loads((ROOT / "benchmarks/results/comparison.json").read_text())
    assert report.glance(record) in (ROOT / "README.md").read_text()
    assert len(record["limits"]) >= 5  # rounds
    assert not any(cell["errors"] for cell in record["cells"] if cell["system"] == "lorgnette")

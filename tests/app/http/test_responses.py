import numpy as np
import pytest

from app.http.responses import JSON, NPY, PNG, NotAcceptableError, choose, sheet

OFFERED = (JSON, NPY, PNG)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("image/*", PNG),
        ("IMAGE/PNG", PNG),
        ("application/*", JSON),
        ("application/*, application/json;q=0", NPY),  # the more specific range decides
        ("image/png;q=0.4, application/json;q=0.5", JSON),
        ("image/png ; q=0.9 , application/json;q=0.5", PNG),
        ("image/png;q=0.9, */*;q=0.1", PNG),
        ("text/html, image/webp, */*;q=0.1", JSON),
        ("image/png;q=nan, application/x-npy;q=0.1", NPY),
        ("image/png;q=inf, application/x-npy;q=0.1", NPY),
        ("image/png;q=many, application/x-npy;q=0.1", NPY),
        (",, image/png,", PNG),
    ],
)
def test_the_form_that_is_liked_best(accept: str, chosen: str) -> None:
    assert choose(accept, None, OFFERED) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/gif", "image/png;q=0", "*/*;q=0", "png"])
def test_nothing_fits(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match="application/json, application/x-npy, image/png"):
        choose(accept, None, OFFERED)


def test_format_has_the_last_word() -> None:
    assert choose("image/png", "npy", OFFERED) == NPY
    assert choose("text/html", "png", OFFERED) == PNG
    for name in ("npy", "gif", "", "PNG", "image/png"):
        with pytest.raises(NotAcceptableError, match="choose from png, json"):
            choose("*/*", name, (PNG, JSON))


@pytest.mark.parametrize(
    ("count", "columns", "grid"),
    [
        (1, None, (1, 1)),
        (2, None, (1, 2)),
        (3, None, (2, 2)),
        (5, None, (2, 3)),
        (6, None, (2, 3)),
        (64, None, (8, 8)),
        (5, 5, (1, 5)),
        (4, 2, (2, 2)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_has_every_tile_in_its_place(
    count: int, columns: int | None, grid: tuple[int, int], channels: int
) -> None:
    side = 2
    tiles = [np.full((side, side, channels), i, np.uint8) for i in range(count)]
    board = sheet(tiles, columns)
    assert board.shape == (grid[0] * side, grid[1] * side, channels)
    found = board[::side, ::side, 0].ravel().tolist()
    assert found == [*range(count), *[255] * (grid[0] * grid[1] - count)]

import numpy as np
import pytest

from app.images.contact_sheet import contact_sheet


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
def test_every_tile_is_in_row_order(
    count: int, columns: int | None, grid: tuple[int, int], channels: int
) -> None:
    side = 2
    tiles = [np.full((side, side, channels), i, np.uint8) for i in range(count)]
    sheet = contact_sheet(tiles, columns)
    assert sheet.shape == (grid[0] * side, grid[1] * side, channels)
    found = sheet[::side, ::side, 0].ravel().tolist()
    assert found == [*range(count), *[255] * (grid[0] * grid[1] - count)]

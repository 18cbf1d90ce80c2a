from fractions import Fraction

import pytest

from app.images.animation import Animation


@pytest.mark.parametrize("fps", [0.1, 0.3, 7, 10, 29.97, 30, 50])
def test_the_durations_of_a_gif_add_up(fps: float) -> None:
    animation = Animation(fps)
    delays = [animation.centiseconds(i) for i in range(64)]
    assert all(2 <= delay <= 65_535 for delay in delays)
    assert sum(delays) == pytest.approx(100 * 64 / fps, abs=0.51)
    assert max(delays) - min(delays) <= 1


@pytest.mark.parametrize(("fps", "seconds"), [(10, (1, 10)), (0.1, (10, 1)), (2.5, (2, 5))])
def test_the_duration_of_an_image_is_a_short_fraction(fps: float, seconds: tuple[int, int]) -> None:
    assert Animation(fps).seconds == Fraction(*seconds)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_a_bounce_repeats_neither_end(count: int) -> None:
    assert list(Animation().backwards(count)) == []
    animation = Animation(bounce=True)
    assert list(animation.backwards(count)) == list(range(count))[-2:0:-1]
    assert animation.played(count) == (2 * count - 2 if count > 1 else 1)

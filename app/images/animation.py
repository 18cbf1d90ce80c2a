"""How a sequence of images is played."""

from dataclasses import dataclass
from fractions import Fraction

MIN_FPS, MAX_FPS = 0.1, 50.0  # a GIF cannot be faster than what browsers accept, 2/100 s an image
MAX_LOOP = 65_535
DEFAULT_FPS = 10.0


@dataclass(frozen=True)
class Animation:
    """How a sequence of images is played.

    Attributes:
        fps: images a second, ``MIN_FPS`` to ``MAX_FPS``.
        loop: how often it is played, 0 to ``MAX_LOOP``; 0 is without end.
        bounce: whether it is played forwards and then backwards. The first and last image are not
            repeated, so that N images are played as 2 N - 2.
    """

    fps: float = DEFAULT_FPS
    loop: int = 0
    bounce: bool = False

    def backwards(self, count: int) -> range:
        """The images that follow the last one, by their position among ``count`` images."""
        return range(count - 2, 0, -1) if self.bounce else range(0)

    def played(self, count: int) -> int:
        """How many images are played of ``count`` images."""
        return count + len(self.backwards(count))

    @property
    def seconds(self) -> Fraction:
        """Duration of one image; numerator and denominator fit into 16 bits."""
        return (1 / Fraction(str(self.fps))).limit_denominator(6_000)

    def centiseconds(self, position: int) -> int:
        """Duration of the image that is played at this position, in 1/100 s.

        Durations are rounded so that the sum of all of them is exact to 1/100 s.
        """
        before, after = (round(100 * self.seconds * (position + i)) for i in (0, 1))
        return after - before

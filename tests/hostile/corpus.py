"""Every hostile request, the same each time for the same seed."""

from collections.abc import Callable, Iterator
from functools import partial

from tests.hostile import bodies, forms, images, structures
from tests.hostile.cases import Case

Group = Callable[[], Iterator[Case]]


def groups(seed: int = 0, flips: int = 100) -> dict[str, Group]:
    """The corpus by what its cases are.

    Args:
        seed: of the bytes that are changed at random.
        flips: how many times each format is damaged.
    """
    made: list[Group] = [
        *(images.truncated, images.mixed, images.not_images, images.odd_shapes),
        *(images.too_large, images.as_large_as_may_be, images.many_at_once),
        *(structures.animations, structures.metadata, structures.directories, structures.fragments),
        *(bodies.broken_json, bodies.large_json, bodies.odd_values, bodies.base64_text),
        *(bodies.expressions, forms.broken_forms, forms.part_names, forms.masks, bodies.arrays),
        *(bodies.queries, bodies.headers, bodies.directions),
    ]
    named: dict[str, Group] = {group.__name__: group for group in made}
    return {"flipped": partial(images.flipped, seed, flips), **named}

"""Every hostile request, the same each time for the same seed."""

from collections.abc import Callable, Iterator
from functools import partial

from tests.hostile import bodies, pictures
from tests.hostile.cases import Case

Group = Callable[[], Iterator[Case]]


def groups(seed: int = 0, flips: int = 100) -> dict[str, Group]:
    """The corpus by what its cases are.

    Args:
        seed: of the bytes that are changed at random.
        flips: how many times each format is damaged.
    """
    made: list[Group] = [
        *(pictures.truncated, pictures.mixed, pictures.not_pictures, pictures.odd_shapes),
        *(pictures.too_large, pictures.as_large_as_may_be, pictures.many_at_once),
        *(pictures.animations, pictures.metadata, pictures.directories, pictures.crumbs),
        *(bodies.broken_json, bodies.large_json, bodies.odd_values, bodies.base64_text),
        *(bodies.expressions, bodies.broken_forms, bodies.part_names, bodies.arrays),
        *(bodies.queries, bodies.headers),
    ]
    named: dict[str, Group] = {group.__name__: group for group in made}
    return {"flipped": partial(pictures.flipped, seed, flips), **named}

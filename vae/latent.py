"""Latent operations: pure functions on float32 CPU tensors, one latent a row."""

import hashlib
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Method = Literal["slerp", "lerp"]
Easing = Literal["linear", "ease-in", "ease-out", "ease-in-out"]

MAX_TORCH_SEED = 2**32 - 1  # PyTorch's generator on the CPU ignores higher bits of a seed
PARALLEL_COSINE = 1.0 - 1e-6  # absolute values above it count as parallel


def seeded_noise(seeds: Sequence[int], dim: int) -> Tensor:
    """Standard normal noise ``(len(seeds), dim)``; a row depends on its own seed alone.

    Args:
        seeds: each from 0 to 2**64 - 1; different seeds have independent noise.
        dim: numbers a row.

    Raises:
        OverflowError: if a seed is of more than 64 bits.
    """
    noise, _ = seeded_noise_and_uniform(seeds, dim)
    return noise


def seeded_noise_and_uniform(seeds: Sequence[int], dim: int) -> tuple[Tensor, Tensor]:
    """``seeded_noise``, and a number in [0, 1) a seed, independent of it, ``(len(seeds),)``."""
    draws = [
        _torch_draw(seed, dim) if seed <= MAX_TORCH_SEED else _hash_draw(seed, dim)
        for seed in seeds
    ]
    noise, uniform = zip(*draws, strict=True)
    return torch.stack(noise), torch.stack(uniform)


def _torch_draw(seed: int, dim: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(dim, generator=generator)
    return noise, torch.rand((), generator=generator)


def _hash_draw(seed: int, dim: int) -> tuple[Tensor, Tensor]:
    """The draw of a seed of up to 64 bits, from its SHAKE-256 stream (FIPS 202).

    A number takes 8 bytes. The normal ones are the inverse of the distribution function at the
    midpoints of 2**52 intervals, in float64; the uniform one has 24 bits, as float32 holds.
    """
    stream = bytearray(hashlib.shake_256(seed.to_bytes(8, "little")).digest(8 * (dim + 1)))
    words = torch.frombuffer(stream, dtype=torch.int64)
    quantiles = (((words[:dim] >> 12) & (2**52 - 1)).double() + 0.5) / 2**52
    uniform = ((words[dim] >> 40) & (2**24 - 1)).float() / 2**24
    return torch.special.ndtri(quantiles).float(), uniform


def lerp(start: Tensor, end: Tensor, weight: Tensor) -> Tensor:
    """``(1 - w) * start + w * end`` for latents ``(D,)`` and weights ``(N,)``, as ``(N, D)``."""
    w = weight[:, None]
    return (1.0 - w) * start + w * end


def slerp(start: Tensor, end: Tensor, weight: Tensor) -> Tensor:
    """Spherical interpolation, which keeps the norm where ``lerp`` shrinks it; shapes as there.

    White, "Sampling Generative Networks", 2016, section 2. Where there is no great circle through
    both (a zero vector, parallel or opposite latents) it is ``lerp``.
    """
    norms = start.norm() * end.norm()
    cosine = (start @ end / norms).clamp(-1.0, 1.0) if norms > 0 else torch.tensor(1.0)
    if cosine.abs() > PARALLEL_COSINE:
        return lerp(start, end, weight)
    angle = cosine.arccos()
    w = weight[:, None]
    return (((1.0 - w) * angle).sin() * start + (w * angle).sin() * end) / angle.sin()


def path(start: Tensor, end: Tensor, steps: int, method: Method = "slerp") -> Tensor:
    """``steps`` latents from ``start`` to ``end``, both included exactly, ``(steps, D)``."""
    return path_through([start, end], steps, method)


def path_through(
    points: Sequence[Tensor], steps: int, method: Method = "slerp", easing: Easing = "linear"
) -> Tensor:
    """Latents on a path through all points in order.

    The points divide the path into parts of equal length in ``steps``. The first and the last are
    included exactly, and so is every other one that a step falls on.

    Args:
        points: ``(D,)`` each, at least 2.
        steps: latents on the path, at least 2.
        method: between two points.
        easing: of the position on the whole path, see ``eased``.

    Returns:
        ``(steps, D)``.
    """
    between = slerp if method == "slerp" else lerp
    parts = len(points) - 1
    positions = parts * eased(torch.linspace(0, 1, steps), easing)
    rows = []
    for position in positions:
        part = min(int(position), parts - 1)
        weight = position - part
        if weight in (0.0, 1.0):
            rows.append(points[part + int(weight)])
        else:
            rows.append(between(points[part], points[part + 1], weight[None])[0])
    return torch.stack(rows)


def eased(position: Tensor, easing: Easing) -> Tensor:
    """Positions in [0, 1] with another speed; 0 and 1 stay.

    ``ease-in`` is the square, which starts slowly, ``ease-out`` its mirror image, which ends
    slowly, and ``ease-in-out`` the cubic ``3 t^2 - 2 t^3``, which does both.
    """
    if easing == "ease-in":
        return position**2
    if easing == "ease-out":
        return 1.0 - (1.0 - position) ** 2
    if easing == "ease-in-out":
        return position**2 * (3.0 - 2.0 * position)
    return position


def weighted_sum(terms: Sequence[tuple[float, Tensor]], dim: int) -> Tensor:
    """The sum of ``w * z`` over pairs of weight and latent ``(D,)``; zero for none."""
    total = torch.zeros(dim)
    for weight, z in terms:
        total = total + weight * z
    return total

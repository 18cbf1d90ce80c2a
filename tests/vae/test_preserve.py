"""Edits of photographs: what is added, what is replaced, and what stays."""

import pytest
import torch
from torch import Tensor

from vae.preserve import PixelEdit, preserve_edit

SIZE = 256
FRAME = (slice(96, 104), slice(60, 196))  # rows and columns of a dark bar


def skin(level: float = 0.6) -> Tensor:
    """A smooth face, as a decode is, ``(1, 3, 256, 256)``."""
    rows = torch.linspace(0.0, 0.2, SIZE)[:, None].expand(SIZE, SIZE)
    return (level + rows).expand(1, 3, SIZE, SIZE).clone()


def with_bar(image: Tensor, value: float = 0.1) -> Tensor:
    """The image with a dark frame."""
    image = image.clone()
    image[..., *FRAME] = value
    return image


def textured(image: Tensor, amount: float = 0.03) -> Tensor:
    """A photograph of what a decode shows."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    return (image + amount * noise).clamp(0.0, 1.0)


def unchanged(edit: PixelEdit, x: Tensor) -> Tensor:
    """Which pixels are equal to the last bit, ``(256, 256)``."""
    return (edit.apply(x) == x).all(1)[0]


def test_what_is_added_leaves_the_photographs_texture_visible() -> None:
    photograph = textured(skin())
    edit = preserve_edit(photograph, skin(), with_bar(skin()))
    assert edit.alpha.max() == 0
    inside = (edit.apply(photograph) - photograph)[..., *FRAME]
    gain = inside / (with_bar(skin()) - skin())[..., *FRAME]
    assert gain.std() < 1e-3
    assert 1.0 <= gain.mean() < 1.02


def test_what_is_added_comes_with_its_faint_parts() -> None:
    before, after = skin(), with_bar(skin())
    after[..., 104:120, 60:196] -= 0.12
    edit = preserve_edit(before, before, after, removal=0.0)
    assert edit.added[..., 115:118, 80:176].mean() < -0.1


def test_what_is_added_has_the_contrast_of_the_photograph() -> None:
    stripes = torch.linspace(0.0, 100.0, SIZE).sin() * 0.1
    before = skin() + stripes
    after = before.clone()
    after[..., *FRAME] -= 0.3
    for factor, expected in ((1.0, 1.0), (1.4, 1.4), (5.0, 1.6)):
        photograph = skin() + factor * stripes
        edit = preserve_edit(photograph, before, after, removal=0.0)
        gain = edit.added[..., 98:102, 100:160].mean() / -0.3
        assert expected - 0.15 < gain < expected + 0.02


def test_what_is_taken_away_is_replaced() -> None:
    photograph = textured(with_bar(skin(), value=0.0))
    edit = preserve_edit(photograph, with_bar(skin()), skin())
    left = edit.apply(photograph)[..., *FRAME]
    assert edit.alpha[..., *FRAME].min() > 0.95
    assert (left.mean() - skin()[..., *FRAME].mean()).abs() < 0.02


def test_what_is_known_of_an_edit_decides_where_edges_leave_it_open() -> None:
    before, after = with_bar(skin()), skin()
    after[..., 120:128, 60:196] = 0.1  # the bar has moved
    shares = [preserve_edit(before, before, after, removal).alpha.sum() for removal in (0.0, 1.0)]
    assert shares[0] < 0.1 * shares[1]


@pytest.mark.parametrize("adds", [True, False])
def test_pixels_far_from_the_edit_stay_to_the_last_bit(adds: bool) -> None:
    before, after = skin(), with_bar(skin())
    if not adds:
        before, after = after, before
    photograph = textured(before)
    edit = preserve_edit(photograph, before, after)
    stays = unchanged(edit, photograph)
    assert stays.float().mean() > 0.6
    assert stays[:60].all()
    assert stays[150:].all()
    assert not stays[FRAME].all()
    assert ((edit.mask == 0) & (edit.alpha > 0)).sum() == 0
    assert ((edit.mask == 0) & (edit.added != 0).any(1, keepdim=True)).sum() == 0


def test_replacement_takes_the_light_of_the_photograph() -> None:
    darker = 0.25  # than the decode, which does not know this light
    photograph = with_bar(skin() - darker, value=0.0)
    edit = preserve_edit(photograph, with_bar(skin()), skin())
    left = edit.apply(photograph)[..., *FRAME]
    assert (left - (skin() - darker)[..., *FRAME]).abs().mean() < 0.03


def test_replacement_is_as_grainy_as_the_photograph() -> None:
    photograph = textured(with_bar(skin()), amount=0.02)
    edit = preserve_edit(photograph, with_bar(skin()), skin())
    smooth = preserve_edit(with_bar(skin()), with_bar(skin()), skin())
    grainy = edit.apply(photograph)[..., *FRAME].std()
    assert grainy > 0.6 * photograph[..., 200:208, 60:196].std()
    assert smooth.apply(with_bar(skin()))[..., *FRAME].std() < 0.01


def test_small_changes_apart_from_the_strong_one_are_left_out() -> None:
    before, after = skin(), with_bar(skin())
    after[..., 220:232, 20:32] -= 0.1
    photograph = textured(before)
    edit = preserve_edit(photograph, before, after)
    assert unchanged(edit, photograph)[200:].all()
    assert not unchanged(edit, photograph)[FRAME].all()


def test_what_the_decode_did_not_show_of_a_frame_goes_too() -> None:
    photograph = with_bar(skin())
    photograph[..., 104:112, 60:196] = 0.1  # twice as thick as in its decode
    edit = preserve_edit(photograph, with_bar(skin()), skin())
    left = edit.apply(photograph)[..., 100:111, 80:176]
    assert (left - skin()[..., 100:111, 80:176]).abs().max() < 0.1


def test_no_change_is_no_edit() -> None:
    photograph = textured(skin())
    edit = preserve_edit(photograph, skin(), skin() + 0.004)
    assert torch.equal(edit.apply(photograph), photograph)
    assert edit.mask.max() == 0


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 64), (3, 130)])
def test_other_sizes(channels: int, size: int) -> None:
    before = torch.full((2, channels, size, size), 0.7)
    after = before.clone()
    third = size // 3
    after[:, :, third : third + 3, third : 2 * third] = 0.1
    edit = preserve_edit(before, before, after)
    edited = edit.apply(before)
    assert edited.shape == before.shape
    assert edited[:, :, third + 1, third + 2].max() < 0.2
    assert torch.equal(edited[:, :, -2:], before[:, :, -2:])


def test_images_of_a_batch_do_not_depend_on_each_other() -> None:
    before = torch.cat([skin(), with_bar(skin())])
    after = before.flip(0)
    photographs = textured(before)
    together = preserve_edit(photographs, before, after).apply(photographs)
    for i in range(2):
        one = slice(i, i + 1)
        alone = preserve_edit(photographs[one], before[one], after[one]).apply(photographs[one])
        assert (alone - together[one]).abs().max() < 1e-5

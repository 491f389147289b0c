"""Layouts: no budget is ever exceeded, times and order survive, and marks and labels can be read back."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentvid.errors import UsageError
from agentvid.media import Frame, Region
from agentvid.watch.drawing import burn_label, compressed, draw_marks
from agentvid.watch.layout import (
    Budget,
    Layout,
    fitting,
    grid_columns,
    grid_size,
    lay_out,
    patch_tokens,
    tile_tokens,
)

LAYOUTS: tuple[Layout, ...] = ("frames", "grid", "thumbnail")


def frames(count: int, size: tuple[int, int] = (320, 180)) -> list[Frame]:
    """Each of its own grey, two seconds apart."""
    grey = [np.full((size[1], size[0], 3), 10 + number * 200 // max(1, count), np.uint8) for number in range(count)]
    return [Frame(2.0 * number, image) for number, image in enumerate(grey)]


counts = st.sampled_from([patch_tokens, tile_tokens])
budgets = st.builds(Budget, st.integers(1, 30), st.integers(1, 4_000_000), st.integers(1, 20_000), counts)


@settings(max_examples=200)
@given(st.integers(1, 24), st.integers(16, 700), st.integers(16, 700), st.sampled_from(LAYOUTS), budgets)
def test_no_budget_is_ever_exceeded(count: int, width: int, height: int, layout: Layout, budget: Budget) -> None:
    plates = lay_out(frames(count, (width, height)), layout, budget)
    sizes = [(plate.image.shape[1], plate.image.shape[0]) for plate in plates]
    assert budget.holds(sizes)
    assert sum(w * h for w, h in sizes) <= budget.pixels
    assert sum(budget.count_tokens(w, h) for w, h in sizes) <= budget.tokens
    assert len(sizes) <= budget.images
    for plate in plates:
        assert list(plate.seconds) == sorted(set(plate.seconds))
        assert re.findall(r"t=(\d+\.\d\d) s", plate.caption) == [f"{seconds:.2f}" for seconds in plate.seconds]


@settings(max_examples=200)
@given(st.integers(1, 40), st.integers(1, 3000), st.integers(1, 3000), budgets)
def test_one_pixel_more_would_not_fit(count: int, width: int, height: int, budget: Budget) -> None:
    def pages(number: int, size: tuple[int, int]) -> list[tuple[int, int]]:
        return [size] * number

    kept, size = fitting((width, height), count, budget, pages=pages)
    assert kept <= count
    if not kept:
        return
    assert budget.holds(pages(kept, size))
    assert size[0] <= width
    assert size[1] <= height
    longest = max(size)
    if budget.count_tokens is patch_tokens and longest < max(width, height):
        larger = tuple(max(1, round(side * (longest + 1) / max(width, height))) for side in (width, height))
        assert not budget.holds(pages(kept, (larger[0], larger[1])))


def test_six_frames_make_two_columns_of_three() -> None:
    assert [grid_columns(count) for count in (1, 2, 4, 6, 9, 12)] == [1, 1, 2, 2, 3, 3]
    assert grid_size(6, (100, 50)) == (204, 158)
    (plate,) = lay_out(frames(6), "grid", Budget(1, 10**6, 10**5))
    assert plate.image.shape == (3 * 180 + 8, 2 * 320 + 4, 3)
    centres = [plate.image[90 + row * 184, 160 + column * 324, 0] for row in range(3) for column in range(2)]
    assert centres == [frame.image[0, 0, 0] for frame in frames(6)]
    (five,) = lay_out(frames(5), "grid", Budget(1, 10**6, 10**5))
    assert (five.image[-180:, -320:] == 255).all()  # the empty cell is white


def test_the_thumbnail_layout_shows_single_frames_and_then_a_grid() -> None:
    plates = lay_out(frames(12), "thumbnail", Budget(20, 3_000_000, 10**5))
    assert [len(plate.seconds) for plate in plates] == [1] * 12 + [6]


def test_too_many_frames_are_left_out_evenly_rather_than_made_unreadable() -> None:
    plates = lay_out(frames(24), "frames", Budget(24, 8 * 128 * 72, 10**5))
    assert len(plates) == 8
    assert plates[0].image.shape == (72, 128, 3)
    assert max(np.diff([plate.seconds[0] for plate in plates])) <= 8
    assert lay_out(frames(3), "frames", Budget(3, 100, 100)) == lay_out([], "grid", Budget(1, 1, 1)) == []


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (tile_tokens, (1024, 1024), 765),
        (tile_tokens, (2048, 4096), 1105),
        (tile_tokens, (512, 512), 255),
        (patch_tokens, (28, 28), 1),
        (patch_tokens, (29, 56), 4),
    ],
)
def test_tokens_of_known_images(count: Callable[[int, int], int], size: tuple[int, int], expected: int) -> None:
    assert count(*size) == expected


def test_labels_and_marks_leave_the_original_alone() -> None:
    image = np.full((180, 320, 3), 100, np.uint8)
    labelled = burn_label(image, "t=1.00 s")
    assert (image == 100).all()
    assert (labelled[:20] == 255).any()
    assert (labelled[40:] == 100).all()
    marked = draw_marks(image, [(1, Region(0.25, 0.25, 0.75, 0.75)), (2, Region(0, 0, 1, 1))])
    assert (marked[45:135, 80] != 100).any(axis=1).all()  # the left side of the first box, without a gap
    assert (marked[60:120, 100:220] == 100).all()  # nothing is drawn on what is marked
    assert compressed(marked).width == 320


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="0 images"):
        Budget(0, 1, 1)

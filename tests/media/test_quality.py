"""Each fault raises its own number and hardly any other, by about as much as was put in."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from agentvid.media.quality import Quality, measure, quality
from agentvid.media.types import Image


def scene(seed: int = 3) -> Image:
    """Shapes with crisp borders over soft light: what a clean camera gives."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(60, 190, 320)[None, :, None] + np.zeros((192, 1, 3))
    image = np.ascontiguousarray(slope.astype(np.uint8))
    for _ in range(60):
        x, y = (int(value) for value in rng.integers(0, (300, 170)))
        corner = (x + int(rng.integers(5, 60)), y + int(rng.integers(5, 40)))
        colour = [int(value) for value in rng.integers(30, 225, 3)]
        cv2.rectangle(image, (x, y), corner, colour, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.6), np.uint8)


def noisy(image: Image, sigma: float) -> Image:
    grain = np.random.default_rng(1).normal(0, sigma, image.shape[:2])
    return np.asarray(np.clip(image + grain[..., None], 0, 255), np.uint8)


def crushed(image: Image) -> Image:
    packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 8])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def overexposed(image: Image) -> Image:
    return np.asarray(cv2.convertScaleAbs(image, alpha=1.4, beta=70), np.uint8)


def test_a_clean_picture_has_no_fault() -> None:
    found = quality([scene(1), scene(2)])
    assert found.words().startswith("sharp picture, little noise, no visible blocks, well exposed (blur 0.")


def test_blur_is_seen_and_grows() -> None:
    images = [np.asarray(cv2.GaussianBlur(scene(), (0, 0), sigma), np.uint8) for sigma in (0.5, 2, 4)]
    values = [quality([image]).blur for image in images]
    assert values == sorted(values)
    assert quality(images[-1:]).words().startswith("blurred picture, little noise")


@pytest.mark.parametrize("sigma", [10.0, 20.0])
def test_noise_is_told_in_grey_levels(sigma: float) -> None:
    found = quality([noisy(scene(), sigma)])
    assert found.noise == pytest.approx(sigma, rel=0.15)
    assert "noisy picture" in found.words()


def test_fine_texture_is_no_noise_where_the_rest_is_flat() -> None:
    leaves = scene()
    leaves[:, 100:] = noisy(leaves, 20.0)[:, 100:]
    assert quality([leaves]).noise < 2


def test_blocks_of_a_starved_codec_are_seen() -> None:
    assert quality([crushed(scene())]).words().split(", ")[2] == "visible blocks"
    assert quality([scene()]).blocks < 0.05


def test_lines_drawn_on_the_grid_are_no_blocks() -> None:
    page = np.full((192, 320, 3), 250, np.uint8)
    page[:, 8::80], page[16::64] = 20, 20
    assert quality([page]).blocks < 0.05


@pytest.mark.parametrize(("level", "word"), [(2, "mostly black"), (252, "mostly white"), (128, "well exposed")])
def test_exposure(level: int, word: str) -> None:
    found = quality([np.full((48, 64, 3), level, np.uint8)])
    assert word in found.words()
    assert found.words().startswith("sharp picture, little noise"), "nothing in it could be blurred"
    assert not found.faults()


def test_what_was_too_bright_is_told_from_a_white_page() -> None:
    assert quality([overexposed(scene())]).faults() == ["overexposed"]
    page = np.full((192, 320, 3), 255, np.uint8)
    cv2.putText(page, "white as paper", (10, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (20, 20, 20), 2, cv2.LINE_AA)
    assert quality([page]).faults() == []
    assert "mostly white" in quality([page]).words()


def test_light_that_goes_up_and_down_flickers_and_a_fade_does_not() -> None:
    image = scene()
    steps = [np.asarray(cv2.convertScaleAbs(image, beta=beta), np.uint8) for beta in (0, 12, 0, 12, 0)]
    fade = [np.asarray(cv2.convertScaleAbs(image, beta=beta), np.uint8) for beta in (0, 5, 10, 15, 20)]
    assert "flickering light" in quality([image], [steps]).words()
    assert "steady light" in quality([image], [fade]).words()


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 2, 3), (1, 64, 3), (9, 7, 3), (16, 16, 3), (17, 40_000, 3)])
def test_the_smallest_pictures_are_measured_too(shape: tuple[int, int, int]) -> None:
    found = quality([np.zeros(shape, np.uint8)])
    assert isinstance(found, Quality)
    assert not found.faults()
    assert all(np.isfinite(value) for value in (found.blur, found.noise, found.blocks, found.dark, found.bright))


def test_of_a_large_picture_the_middle_tells_of_sharpness_and_the_whole_of_light() -> None:
    large = np.zeros((2160, 3840), np.uint8)
    large[720:1440, 1280:2560] = cv2.resize(cv2.cvtColor(scene(), cv2.COLOR_RGB2GRAY), (1280, 720))
    middle = measure(np.ascontiguousarray(large[720:1440, 1280:2560]))
    found = measure(large)
    assert found[:3] == pytest.approx(middle[:3], abs=0.02)
    assert found[3] == pytest.approx(8 / 9, abs=0.02)

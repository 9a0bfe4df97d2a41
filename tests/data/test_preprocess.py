"""Equalised levels are spread evenly, the light's plane is gone, and every dataset gets it without code."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fersearch.data import options as dataset_options
from fersearch.data.prepared import prepare
from fersearch.data.preprocess import LEVELS, STEPS, applied, applied_to_all, equalized, illumination_corrected
from fersearch.errors import UnknownName, UsageError

RANDOM = np.random.default_rng(0)
DARK = (RANDOM.beta(2, 6, (1, 32, 32)) * 200).astype(np.uint8)
COLOUR = (RANDOM.beta(2, 6, (3, 32, 32)) * 120).astype(np.uint8)


def test_nothing_is_done_by_default() -> None:
    assert applied(DARK, {}) is DARK
    assert applied(DARK, {"preprocess": "none"}) is DARK
    images = [DARK]
    assert applied_to_all(images, {"image_size": 32}) is images


@pytest.mark.parametrize("name", sorted(set(STEPS) - {"none"}))
@pytest.mark.parametrize("image", [DARK, COLOUR], ids=["grey", "rgb"])
def test_shape_and_bytes_stay(name: str, image: np.ndarray) -> None:
    before = image.copy()
    result = applied(image, {"preprocess": name})
    assert result.shape == image.shape
    assert result.dtype == np.uint8
    assert not np.array_equal(result, image)
    assert np.array_equal(image, before)


def test_equalisation_is_that_of_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    assert np.array_equal(equalized(DARK)[0], cv2.equalizeHist(DARK[0]))


def test_equalised_levels_reach_from_black_to_white_evenly() -> None:
    levels = equalized(DARK)
    assert (levels.min(), levels.max()) == (0, 255)
    assert abs(levels.mean() - 127.5) < 6
    assert (np.diff(levels.ravel()[np.argsort(DARK.ravel())].astype(int)) >= 0).all()


@pytest.mark.parametrize("level", [0, 90, 255])
def test_an_image_of_one_level_stays_plain(level: int) -> None:
    flat = np.full((1, 8, 8), level, np.uint8)
    assert np.array_equal(equalized(flat), flat)
    assert np.array_equal(illumination_corrected(flat), np.full((1, 8, 8), 128, np.uint8))


def test_colour_is_equalised_by_its_luminance_and_keeps_its_differences() -> None:
    ramp = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    tinted = np.concatenate((ramp + 60, ramp + 50, ramp + 40))
    result = equalized(tinted).astype(int)
    inside = ((result > 0) & (result < 255)).all(0)
    assert inside.sum() > 50
    assert np.array_equal((result[0] - result[1])[inside], np.full(inside.sum(), 10))
    assert np.array_equal((result[1] - result[2])[inside], np.full(inside.sum(), 10))
    assert result.max() == 255


def test_grey_in_three_channels_is_treated_as_grey() -> None:
    for step in (equalized, illumination_corrected):
        assert np.array_equal(step(np.repeat(DARK, 3, 0)), np.repeat(step(DARK), 3, 0))


def test_illumination_is_the_formula_of_its_authors() -> None:
    """The least-squares plane by a pseudo-inverse, as in their code."""
    values = DARK.ravel()
    share = np.bincount(values, minlength=256).cumsum()
    even = (share * (2.0 / share[-1]) - 1.0)[values]
    down, across = (place.ravel() for place in np.mgrid[:32, :32])
    plane = np.stack((np.ones_like(down), across, down), 1).astype(float)
    rest = even - plane @ (np.linalg.pinv(plane) @ even)
    rest /= rest.std()
    expected = np.clip(np.rint(128 + LEVELS * rest), 0, 255).reshape(1, 32, 32)
    assert np.array_equal(illumination_corrected(DARK), expected)


def test_illumination_takes_away_light_from_one_side() -> None:
    face = RANDOM.integers(60, 120, (1, 48, 48))
    light = np.linspace(0, 120, 48)[None, None, :]
    lit, shade = ((face + side).astype(np.uint8) for side in (light, light[..., ::-1]))
    before = np.corrcoef(lit.ravel(), shade.ravel())[0, 1]
    after = np.corrcoef(illumination_corrected(lit).ravel(), illumination_corrected(shade).ravel())[0, 1]
    assert before < 0
    assert after > 0.6


def test_illumination_is_standardised() -> None:
    levels = illumination_corrected(DARK).astype(float)
    assert levels.mean() == pytest.approx(128, abs=1)
    assert levels.std() == pytest.approx(LEVELS, abs=1)


def test_an_unknown_preprocessing_is_reported() -> None:
    with pytest.raises(UnknownName, match="did you mean 'equalize'"):
        applied(DARK, {"preprocess": "equalise"})


def test_a_prepared_copy_holds_what_was_preprocessed(squares: Any, source: Path, tmp_path: Path) -> None:
    plain = prepare(squares, source, {"image_size": 16}, tmp_path)
    made = prepare(squares, source, {"image_size": 16, "preprocess": "illumination"}, tmp_path)
    assert made.folder != plain.folder
    assert made.digest != plain.digest
    assert made.options["preprocess"] == "illumination"
    for before, after in zip(plain.images, made.images, strict=True):
        assert np.array_equal(after, illumination_corrected(before))
    assert np.array_equal(made.columns["label"], plain.columns["label"])


def test_no_preprocessing_shares_the_copy_of_data_without_that_option(
    squares: Any, source: Path, tmp_path: Path
) -> None:
    unasked, reads = prepare(squares, source, {}, tmp_path), squares.reads
    explicit = prepare(squares, source, {"preprocess": "none"}, tmp_path)
    assert explicit.folder == unasked.folder
    assert squares.reads == reads
    assert "preprocess" not in unasked.options
    assert "preprocess" not in dataset_options.decoding(squares, {"preprocess": "none"})


def test_the_dataset_refuses_what_it_does_not_offer(squares: Any, source: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="preprocess: sharpen is not offered"):
        prepare(squares, source, {"preprocess": "sharpen"}, tmp_path)

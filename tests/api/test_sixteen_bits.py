"""Images of 16 bits are scaled alike in training, evaluation and prediction."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fersearch import api
from fersearch.context import components, drain_notices
from fersearch.data.arrays import prepare
from fersearch.home import prepared_folder
from fersearch.training.checkpoint import read_checkpoint
from tests.api.test_predict_equals_evaluate import GREY, PLAIN, _fresh, oblong, predicted, trained  # noqa: F401


def twelve_bits(folder: Path, colour: bool = False) -> Path:
    """16-bit class folders whose values use 12 bits, one image of 8 among them."""
    import cv2

    random = np.random.default_rng(5)
    for label in ("happy", "sad"):
        (folder / label).mkdir(parents=True)
        for k in range(8):
            highest = 4096 if (label, k) != ("sad", 0) else 256
            values = random.integers(0, highest, (48, 48, 3) if colour else (48, 48), np.uint16)
            cv2.imwrite(str(folder / label / f"{k}.png"), values)
    return folder


@pytest.mark.parametrize("colour", [False, True], ids=["grey", "rgb"])
def test_sixteen_bit_images_are_scaled_by_the_bits_of_their_dataset(tmp_path: Path, colour: bool) -> None:
    source = twelve_bits(tmp_path / "source", colour)
    options = {"image_size": 48, "channels": 3 if colour else 1}
    checkpoint = trained(tmp_path / "pulled", "imagefolder", source, options, PLAIN)
    prepared = prepare(components().dataset("imagefolder"), source, options, prepared_folder())
    assert prepared.findings[0] == (
        "16-bit images use 12 bits: white is 4,095; 1 of 16 are far darker than the rest: 0.png"
    )
    assert 120 < prepared.images[:8].mean() < 136
    assert read_checkpoint(checkpoint / "model.safetensors")[0]["steps"][0] == {"step": "depth", "bits": 12}
    paths = [source / name for name in prepared.columns["name"].tolist()]
    restored = api.load_checkpoint(checkpoint)
    np.testing.assert_allclose(
        predicted(checkpoint, paths), restored.probabilities(np.asarray(prepared.images)), atol=1e-5
    )
    assert drain_notices() == []


def test_creating_a_study_tells_how_many_bits_are_used_and_which_images_are_dark(tmp_path: Path) -> None:
    api.create_study("cnn", "imagefolder", data=twelve_bits(tmp_path / "source"), trials=1)
    assert (
        "imagefolder: 16-bit images use 12 bits: white is 4,095; 1 of 16 are far darker than the rest: 0.png"
        in drain_notices()
    )


def test_a_sixteen_bit_photograph_is_scaled_by_its_own_bits_where_training_had_none(tmp_path: Path) -> None:
    checkpoint = trained(tmp_path / "pulled", "imagefolder", oblong(tmp_path / "source"), GREY, PLAIN)
    levels = np.random.default_rng(1).integers(0, 256, (48, 48), np.uint8)
    Image.fromarray(levels).save(tmp_path / "eight.png")
    Image.fromarray(np.rint(levels.astype(float) * 4095 / 255).astype(np.uint16)).save(tmp_path / "twelve.png")
    result = predicted(checkpoint, [tmp_path / "eight.png", tmp_path / "twelve.png"])
    np.testing.assert_allclose(result[1], result[0], atol=1e-5)
    assert drain_notices() == ["16-bit images are scaled by the bits that they use: 1 by 12"]

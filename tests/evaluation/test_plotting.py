"""Predictions as a picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fersearch.errors import UsageError
from fersearch.evaluation.predict import Prediction, plot_predictions

SHARES = {"happiness": 0.7, "sadness": 0.3}


@pytest.fixture
def predictions(tmp_path: Path) -> list[Prediction]:
    path = tmp_path / "face.png"
    Image.fromarray(np.arange(48 * 48, dtype=np.uint16).reshape(48, 48).astype(np.uint8)).save(path)
    return [Prediction(str(path), "happiness", SHARES), Prediction(str(path), "happiness", SHARES, (4, 4, 20, 20))]


def test_each_image_stands_beside_its_bars(predictions: list[Prediction], tmp_path: Path) -> None:
    plot_predictions(predictions, tmp_path / "out.svg")
    svg = (tmp_path / "out.svg").read_text()
    assert svg.count("face.png") == 2
    assert svg.count("happiness, 70%") == 2
    plot_predictions(predictions, tmp_path / "out.png")
    assert Image.open(tmp_path / "out.png").width > 500


def test_images_that_cannot_be_drawn_are_reported(predictions: list[Prediction], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot draw into .*out.gif"):
        plot_predictions(predictions, tmp_path / "out.gif")
    with pytest.raises(UsageError, match="42 images are too many for one picture"):
        plot_predictions(predictions * 21, tmp_path / "out.png")
    (tmp_path / "out.png").touch()
    with pytest.raises(UsageError, match="exists"):
        plot_predictions(predictions, tmp_path / "out.png")

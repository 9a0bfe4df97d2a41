"""Drawn faces are found where they were put."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from fersearch.data import detect
from fersearch.errors import FersearchError


def face(side: int) -> Image.Image:
    """A face as an oval with brows, eyes, a nose and a mouth: what the cascade looks for."""
    image = Image.new("L", (side, side), 150)
    draw = ImageDraw.Draw(image)

    def box(left: float, top: float, right: float, bottom: float) -> list[float]:
        return [side * left, side * top, side * right, side * bottom]

    draw.ellipse(box(0.15, 0.05, 0.85, 0.95), fill=180)
    for x in (0.35, 0.65):
        draw.rectangle(box(x - 0.12, 0.30, x + 0.12, 0.36), fill=60)
        draw.ellipse(box(x - 0.09, 0.38, x + 0.09, 0.46), fill=70)
    draw.rectangle(box(0.46, 0.36, 0.54, 0.62), fill=210)
    draw.rectangle(box(0.38, 0.62, 0.62, 0.65), fill=110)
    draw.ellipse(box(0.34, 0.72, 0.66, 0.80), fill=80)
    return image.filter(ImageFilter.GaussianBlur(side / 60))


def photograph(width: int, *faces: tuple[int, int]) -> Image.Image:
    """A colour image with faces of a side at a distance from the left."""
    image = Image.new("RGB", (width, 300), (150, 150, 150))
    for left, side in faces:
        image.paste(face(side).convert("RGB"), (left, 50))
    return image


def near(box: detect.Box, left: int, side: int) -> bool:
    return bool(np.allclose(box, (left, 50, side, side), atol=side * 0.15))


def test_every_face_is_found_from_left_to_right() -> None:
    left, right = detect.find_faces(photograph(700, (400, 200), (50, 160)))
    assert near(left, 50, 160)
    assert near(right, 400, 200)


def test_an_even_image_has_no_face() -> None:
    assert detect.find_faces(photograph(300)) == []


def test_a_large_image_is_searched_shrunk_and_boxes_are_in_its_own_pixels() -> None:
    large = photograph(700, (50, 160)).resize((2800, 1200))
    (box,) = detect.find_faces(large)
    assert np.allclose(box, (200, 200, 640, 640), atol=90)


def test_a_cascade_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    detect._cascade.cache_clear()
    monkeypatch.setattr(cv2.data, "haarcascades", f"{tmp_path}/")
    try:
        with pytest.raises(FersearchError, match="without its face detector") as error:
            detect.find_faces(photograph(100))
        assert "opencv-python-headless<5" in error.value.hint
    finally:
        detect._cascade.cache_clear()

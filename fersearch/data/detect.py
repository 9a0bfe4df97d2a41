"""Faces in photographs, found by the detector that comes with OpenCV."""

from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

from fersearch.errors import FersearchError

Box = tuple[int, int, int, int]
CASCADE = "haarcascade_frontalface_default.xml"
SMALLEST = 24  # pixels of the cascade's own window
SHARE = 20  # a face is no smaller than this part of the image's shorter side
LONGEST = 1280  # pixels of the longer side that is searched; a longer one is shrunk
STEP, NEIGHBOURS = 1.1, 5
_ONE_AT_A_TIME = Lock()  # a cascade keeps the image that it looks at


def find_faces(image: Image.Image) -> list[Box]:
    """The faces of an image as (left, top, width, height) in pixels, from left to right; none if there is none.

    The boosted cascade of Haar features for faces seen from the front: Viola and Jones 2001
    (doi:10.1109/CVPR.2001.990517), Lienhart and Maydt 2002.

    Raises:
        FersearchError: OpenCV came without its cascades.
    """
    grey = image.convert("L")
    grey.thumbnail((LONGEST, LONGEST))
    scale = image.width / grey.width
    least = max(SMALLEST, min(grey.size) // SHARE)
    with _ONE_AT_A_TIME:
        found = _cascade().detectMultiScale(np.asarray(grey), STEP, NEIGHBOURS, minSize=(least, least))
    return sorted(tuple(round(float(value) * scale) for value in box) for box in found)  # type: ignore[misc]


@cache
def _cascade() -> Any:
    import cv2

    folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
    cascade = cv2.CascadeClassifier(f"{folder}{CASCADE}") if hasattr(cv2, "CascadeClassifier") else None
    if cascade is None or cascade.empty():
        raise FersearchError(
            f"OpenCV {cv2.__version__} came without its face detector {CASCADE}",
            "install one that has it: pip install 'opencv-python-headless<5'",
        )
    return cascade

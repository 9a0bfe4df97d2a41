"""Faces in photographs, found by a network that onnxruntime runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fersearch.artifacts import file_digest
from fersearch.errors import FersearchError, UsageError
from fersearch.onnx_session import session_of

if TYPE_CHECKING:
    import onnxruntime

Box = tuple[int, int, int, int]
Array = npt.NDArray[np.float32]

MODEL = Path(__file__).parent / "models" / "centerface.onnx"
DIGEST = "5aaf17b351911ad4a27f126d2de45809710c458b95cba4a6478c4fd4e2e9d978"
LONGEST = 640
"""Length in pixels of the longer side in which faces are searched; a larger image is shrunk."""
STRIDE = 32  # networks halve an image five times
THRESHOLD = 0.35  # of a score: at 0.5 one face in twenty of FER+ more is missed, and no false box less is seen
OVERLAP = 0.3  # of two boxes, as intersection over union, above which they are one face
PAD = 1.02
"""The side of a square cut, in units of the longer side of the box found: what fits the crops of FER+ best."""


@dataclass(frozen=True)
class Face:
    """A face: its box as the network found it (left, top, width, height in pixels), and its confidence."""

    box: tuple[float, float, float, float]
    score: float


Decoder = Callable[[Mapping[str, Array], tuple[int, int]], tuple[Array, Array]]
"""Decodes a network's outputs and its input's height and width to boxes (n, 4: left, top, right, bottom) and scores
(n)."""


class FaceDetector:
    """A detector of faces, for any number of threads.

    It is CenterFace, or what a file of CenterFace or of YuNet holds.
    """

    def __init__(self, session: "onnxruntime.InferenceSession", decode: Decoder) -> None:
        self._session, self._decode = session, decode
        self._input = session.get_inputs()[0]
        self._outputs = [output.name for output in session.get_outputs()]

    @classmethod
    def open(cls, file: Path | None = None, threads: int | None = None) -> "FaceDetector":
        """Open the detector that comes with fersearch, or another one's ONNX file.

        Raises:
            UsageError: the file is neither CenterFace nor YuNet.
            FersearchError: it cannot be read, or the one that comes with fersearch was changed.
        """
        if file is None:
            if not MODEL.is_file() or file_digest(MODEL) != DIGEST:
                raise FersearchError(f"the face detector {MODEL} is missing or was changed", "reinstall fersearch")
        elif not file.is_file():
            raise UsageError(f"detector file {file} does not exist", "give an ONNX file of CenterFace or YuNet")
        session = session_of(MODEL if file is None else _any_size(file), threads)
        names = {output.name for output in session.get_outputs()}
        if {"cls_8", "obj_8", "bbox_8"} <= names:
            return cls(session, _yunet)
        if len(names) == 4 and session.get_outputs()[0].shape[1] == 1:
            return cls(session, _centerface)
        raise UsageError(
            f"{file} is not a known face detector: its outputs are {', '.join(sorted(names))}",
            "give CenterFace (heat map, scale, offset, landmarks) or YuNet (cls_8, obj_8, bbox_8, ...)",
        )

    def find(self, image: Image.Image, longest: int = LONGEST) -> list[Face]:
        """Return the faces of an image from left to right; its longer side is shrunk to at most this many pixels."""
        pixels, scale = self._fitted(image, longest)
        outputs = self._session.run(None, {self._input.name: pixels})
        boxes, scores = self._decode(dict(zip(self._outputs, outputs, strict=True)), pixels.shape[2:])
        indices = _distinct(boxes, scores)
        faces = [_face(boxes[i] / scale, float(scores[i]), image.size) for i in indices]
        return sorted((face for face in faces if min(face.box[2:]) >= 1), key=lambda face: face.box)

    def _fitted(self, image: Image.Image, longest: int) -> tuple[Array, float]:
        """Return an image as the network takes it, float32 (1, 3, height, width), and how much it was shrunk."""
        height, width = self._input.shape[2:]
        fixed = isinstance(height, int) and isinstance(width, int)
        room = (width, height) if fixed else (longest, longest)
        scale = min(room[0] / image.width, room[1] / image.height, 4.0 if fixed else 1.0)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        shown = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BILINEAR), np.float32)
        canvas = (height, width) if fixed else tuple(-(-side // STRIDE) * STRIDE for side in reversed(size))
        pixels = np.zeros((1, 3, *canvas), np.float32)
        pixels[0, :, : size[1], : size[0]] = (shown[..., ::-1] if self._decode is _yunet else shown).transpose(2, 0, 1)
        return pixels, scale


def _any_size(file: Path) -> Path | bytes:
    """Return a detector's file, or its content where it is CenterFace made for images of one size: for any size.

    Raises:
        UsageError: it is not an ONNX file.
    """
    import onnx

    try:
        model = onnx.load(str(file), load_external_data=False)
    except Exception as error:  # protobuf and onnx have several of their own
        raise UsageError(f"{file} is not an ONNX file", "give an ONNX file of CenterFace or YuNet") from error
    if len(model.graph.output) != 4:
        return file
    for value in (model.graph.input[0], *model.graph.output):
        for place in (0, 2, 3):
            value.type.tensor_type.shape.dim[place].dim_param = f"{value.name}_{place}"
    content: bytes = model.SerializeToString()
    return content


@cache
def default_detector() -> FaceDetector:
    """Return the detector that comes with fersearch, opened once."""
    return FaceDetector.open(threads=1)


def square(face: Face, size: tuple[int, int], pad: float = PAD) -> Box:
    """Return the square around a face that is cut out of an image of that width and height, in whole pixels.

    It lies in the image, moved there where a face is at its edge.
    """
    left, top, width, height = face.box
    side = min(round(max(width, height) * pad), *size)
    x, y = (round(start + (extent - side) / 2) for start, extent in ((left, width), (top, height)))
    return min(max(x, 0), size[0] - side), min(max(y, 0), size[1] - side), side, side


def find_faces(
    image: Image.Image, detector: FaceDetector | None = None, longest: int = LONGEST, pad: float = PAD
) -> list[Box]:
    """Return the faces of an image as squares (left, top, width, height) in pixels, from left to right.

    Raises:
        FersearchError: the detector is missing.
    """
    return [square(face, image.size, pad) for face in (detector or default_detector()).find(image, longest)]


def _face(corners: Array, score: float, size: tuple[int, int]) -> Face:
    left, right = (min(max(float(x), 0.0), size[0]) for x in corners[[0, 2]])
    top, bottom = (min(max(float(y), 0.0), size[1]) for y in corners[[1, 3]])
    return Face((left, top, right - left, bottom - top), score)


def _centerface(outputs: Mapping[str, Array], _: tuple[int, int]) -> tuple[Array, Array]:
    """Decode a heat map at a quarter of the size, the logarithms of heights and widths, and centres' offsets."""
    heat, scales, offsets = (output[0] for output in list(outputs.values())[:3])
    rows, columns = np.nonzero(heat[0] > THRESHOLD)
    heights, widths = np.exp(scales[:, rows, columns]) * 4
    y = (rows + offsets[0, rows, columns] + 0.5) * 4
    x = (columns + offsets[1, rows, columns] + 0.5) * 4
    boxes = np.stack([x - widths / 2, y - heights / 2, x + widths / 2, y + heights / 2], axis=1)
    return boxes.astype(np.float32), heat[0, rows, columns]


def _yunet(outputs: Mapping[str, Array], size: tuple[int, int]) -> tuple[Array, Array]:
    """Decode three grids of anchors, as OpenCV's FaceDetectorYN does.

    Source: YuNet, Wu et al. 2023 (doi:10.1007/s11633-023-1423-y).
    """
    boxes: list[Array] = []
    scores: list[Array] = []
    for stride in (8, 16, 32):
        offsets = outputs[f"bbox_{stride}"].reshape(-1, 4)
        columns = size[1] // stride
        place = np.arange(len(offsets))
        x, y = (place % columns + offsets[:, 0]) * stride, (place // columns + offsets[:, 1]) * stride
        half_width, half_height = np.exp(offsets[:, 2]) * stride / 2, np.exp(offsets[:, 3]) * stride / 2
        boxes.append(np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1))
        shares = [outputs[f"{kind}_{stride}"].reshape(-1).clip(0, 1) for kind in ("cls", "obj")]
        scores.append(np.sqrt(shares[0] * shares[1]))
    every, sure = np.concatenate(boxes).astype(np.float32), np.concatenate(scores)
    return every[sure > THRESHOLD], sure[sure > THRESHOLD]


def _distinct(boxes: Array, scores: Array) -> Sequence[int]:
    """Return which boxes to keep, the most confident first: greedy non-maximum suppression."""
    waiting: list[Any] = list(np.argsort(-scores))
    indices: list[int] = []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while waiting:
        best = waiting.pop(0)
        indices.append(int(best))
        rest = np.array(waiting, dtype=np.int64)
        low, high = np.maximum(boxes[best, :2], boxes[rest, :2]), np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        waiting = list(rest[shared / (areas[best] + areas[rest] - shared + 1e-9) <= OVERLAP])
    return indices

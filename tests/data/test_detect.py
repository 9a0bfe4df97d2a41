"""Drawn faces are detected where they were put, by the included detector and by a file of another kind."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fersearch.data import detect
from fersearch.data.detect import Face, FaceDetector, square
from fersearch.errors import FersearchError, UsageError
from tests.drawn_face import photograph


def near(box: detect.Box, left: int, side: int) -> bool:
    """Whether a box lies where a drawing of that side was put: its face, chin to brow, fills four fifths of it."""
    return bool(np.allclose(box, (left + 0.09 * side, 50 + 0.115 * side, 0.82 * side, 0.82 * side), atol=side * 0.08))


def test_every_face_is_detected_from_left_to_right() -> None:
    left, right = detect.find_faces(photograph(700, (400, 200), (50, 160)))
    assert near(left, 50, 160)
    assert near(right, 400, 200)


def test_an_even_image_has_no_face() -> None:
    assert detect.find_faces(photograph(300)) == []


def test_a_large_image_is_searched_shrunk_and_boxes_are_in_its_own_pixels() -> None:
    large = photograph(700, (50, 160)).resize((2800, 1200))
    (box,) = detect.find_faces(large)
    assert np.allclose(box, (258, 274, 525, 525), atol=50)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((100, 100, 60, 80), (90, 100, 80, 80)),  # squared around its middle
        ((-20, 10, 60, 80), (0, 10, 80, 80)),  # moved into the image
        ((0, 0, 500, 400), (100, 0, 300, 300)),  # no larger than the image
    ],
)
def test_a_cut_is_a_square_within_the_image(box, expected) -> None:
    assert square(Face(box, 0.9), (400, 300), pad=1.0) == expected


def test_a_detector_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "centerface.onnx"
    changed.write_bytes(detect.MODEL.read_bytes() + b"x")
    monkeypatch.setattr(detect, "MODEL", changed)
    with pytest.raises(FersearchError, match="is missing or was changed"):
        FaceDetector.open()


def constant(path: Path, outputs: dict[str, np.ndarray], size: tuple[int, int] = (64, 64)) -> Path:
    """Write a network that gives the same outputs whatever it sees."""
    nodes = [helper.make_node("Constant", [], [name], value=numpy_helper.from_array(a)) for name, a in outputs.items()]
    entry = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, *size])
    exits = [helper.make_tensor_value_info(name, TensorProto.FLOAT, a.shape) for name, a in outputs.items()]
    graph = helper.make_graph(nodes, "constant", [entry], exits)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def yunet(path: Path) -> Path:
    """Write a YuNet that sees one face of 16 x 24 pixels around (28, 20) on its grid of 8 pixels, twice."""
    outputs = {}
    for stride in (8, 16, 32):
        cells = (64 // stride) ** 2
        outputs |= {f"{kind}_{stride}": np.zeros((1, cells, 1), np.float32) for kind in ("cls", "obj")}
        outputs[f"bbox_{stride}"] = np.zeros((1, cells, 4), np.float32)
    for place, score in ((2 * 8 + 3, 0.9), (2 * 8 + 4, 0.6)):  # row 2, columns 3 and 4
        outputs["cls_8"][0, place] = outputs["obj_8"][0, place] = score
        column = place % 8
        outputs["bbox_8"][0, place] = (28 / 8 - column, 20 / 8 - 2, np.log(16 / 8), np.log(24 / 8))
    return constant(path, outputs)


def test_a_file_of_yunet_finds_faces_too(tmp_path: Path) -> None:
    detector = FaceDetector.open(yunet(tmp_path / "yunet.onnx"))
    (face,) = detector.find(photograph(128, height=128))  # twice as large as what the network sees
    assert face.box == pytest.approx((40, 16, 32, 48), abs=0.1)
    assert face.score == pytest.approx(0.9)


def test_a_file_of_centerface_for_one_size_finds_faces_of_any(tmp_path: Path) -> None:
    model = onnx.load(str(detect.MODEL))
    for value in (model.graph.input[0], *model.graph.output):
        for place, size in ((0, 10), (2, 32), (3, 32)):
            value.type.tensor_type.shape.dim[place].dim_value = size
    onnx.save(model, tmp_path / "fixed.onnx")
    result = FaceDetector.open(tmp_path / "fixed.onnx").find(photograph(700, (50, 160)))
    assert result == FaceDetector.open().find(photograph(700, (50, 160)))


def test_another_network_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    other = constant(tmp_path / "other.onnx", {"logits": np.zeros((1, 8), np.float32)})
    with pytest.raises(UsageError, match="is not a known face detector: its outputs are logits") as error:
        FaceDetector.open(other)
    assert "CenterFace" in error.value.hint
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(UsageError, match="is not an ONNX file"):
        FaceDetector.open(tmp_path / "text.onnx")
    with pytest.raises(UsageError, match="detector file"):
        FaceDetector.open(tmp_path / "nothing.onnx")

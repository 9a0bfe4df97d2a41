"""Eight-bit weights and activations, by static quantisation: ranges come from training images."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fersearch.training.onnx_graph import INPUT

Array = np.ndarray[Any, Any]
CHUNK = 16
OPERATORS = ["Conv", "Gemm", "MatMul"]


def quantize(source: Path, target: Path, images: Array) -> None:
    """Write an ONNX file with int8 weights per channel and int8 activations, in QDQ form.

    `images` (uint8, n x channels x size x size) give the ranges of activations.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Hands calibration the images, a few at a time."""

        def __init__(self) -> None:
            self._parts: Iterator[Array] = iter(np.array_split(images, max(1, len(images) // CHUNK)))

        def get_next(self) -> dict[str, Array] | None:
            part = next(self._parts, None)
            return None if part is None else {INPUT: np.ascontiguousarray(part.transpose(0, 2, 3, 1))}

    quiet = logging.getLogger()
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory(prefix="fersearch-quantize-") as folder:
            ready = Path(folder, "ready.onnx")
            quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
            quantize_static(
                str(ready),
                str(target),
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=OPERATORS,
            )
    finally:
        quiet.setLevel(level)

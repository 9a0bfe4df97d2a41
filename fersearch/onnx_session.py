"""Inference with an ONNX file on the CPU, and its latency."""

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.errors import FersearchError

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime

    Array = np.ndarray[Any, Any]

BATCH = 64
RUNS, WARM_UP = 200, 20


def session_of(file: Path | bytes, threads: int | None = None) -> "onnxruntime.InferenceSession":
    """Open an ONNX file, or the content of one, on the CPU.

    Raises:
        FersearchError: onnxruntime cannot read it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        source = file if isinstance(file, bytes) else str(file)
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        name = "the model" if isinstance(file, bytes) else str(file)
        raise FersearchError(f"{name} cannot be read by onnxruntime: {error}", "export it again") from error


def run(session: "onnxruntime.InferenceSession", images: "Array") -> "Array":
    """Return class shares (float32, n x classes) of uint8 images (n, channels, size, size), batch by batch."""
    import numpy as np

    name = session.get_inputs()[0].name
    turned = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    parts = [session.run(None, {name: turned[i : i + BATCH]})[0] for i in range(0, len(turned), BATCH)]
    return np.concatenate(parts)


def latency(file: Path, image: "Array", threads: int = 1) -> Mapping[str, Any]:
    """Return the median time in milliseconds of 200 runs on images after a warm-up, with so many threads."""
    session, spent = session_of(file, threads), []
    for _ in range(WARM_UP + RUNS):
        started = time.perf_counter()
        run(session, image)
        spent.append(1000 * (time.perf_counter() - started))
    return {"median_ms": statistics.median(spent[WARM_UP:]), "batch": len(image), "threads": threads, "runs": RUNS}

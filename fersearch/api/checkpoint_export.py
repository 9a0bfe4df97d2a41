"""Export a checkpoint to a file that needs neither fersearch nor torch."""

from pathlib import Path

from fersearch.errors import lookup
from fersearch.export.exporting import ExportRequest, export
from fersearch.export.keeping import FORMATS, MAX_LOSS, ExportedModel


def export_checkpoint(
    checkpoint: Path,
    *,
    format: str = "onnx",
    out: Path | None = None,
    quantize: str | None = None,
    max_loss: float = MAX_LOSS,
    data: Path | None = None,
    force: bool = False,
    trust_plugin: bool = False,
    storage: str | None = None,
) -> ExportedModel:
    """Export a pulled checkpoint or an ensemble to one ONNX file that maps raw images to probabilities.

    The file is kept only if its outputs match the model's, on validation images if the data is available, else on
    generated ones. Its folder gets a README.md and a card; `predict` then needs no torch there.

    Args:
        format: `onnx`.
        out: the folder to create; default the checkpoint's own.
        quantize: `int8`: eight-bit weights and activations, calibrated on training images.
        max_loss: the macro F1 on validation that eight bits may cost.
        data: the folder of the training data, if it has moved.
        force: replace a pulled checkpoint or an exported model that is in `out`.
        trust_plugin: run the plugin file next to the weights.

    Raises:
        UsageError: the folder exists, images are needed and not available, or the members of an ensemble differ in
            their input.
        FersearchError: the architecture cannot be exported, or the file's outputs differ from the model's.
    """
    lookup("format", format, FORMATS)
    return export(checkpoint, ExportRequest(out, quantize, max_loss, data, force, trust_plugin, storage))

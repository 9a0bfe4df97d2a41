"""Calibrates class shares by the temperature that was fitted on validation."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SMALLEST = 1e-38


def temperature_of(card: Mapping[str, Any]) -> float:
    """Return the temperature that was fitted on validation at the kept epoch and is not yet applied to the shares.

    It is 1 for a card without one, and for an exported model, whose file contains it.
    """
    if "temperature" in card.get("onnx", {}):
        return 1.0
    value = card.get("metrics", {}).get("temperature")
    return float(value) if isinstance(value, int | float) and value > 0 else 1.0


def calibrated(shares: "Array", temperature: float) -> "Array":
    """Return class shares (float, n x classes) to the power of 1/temperature, each row's sum 1; predicted labels stay
    the same.

    This equals dividing the logits by the temperature. Source: Guo et al. 2017 (arXiv:1706.04599).
    """
    import numpy as np

    if temperature == 1.0:
        return shares
    powers = np.maximum(shares.astype(np.float64), SMALLEST) ** (1 / temperature)
    result: Array = (powers / powers.sum(axis=1, keepdims=True)).astype(shares.dtype)
    return result

"""From mapped arrays to tensors without a copy."""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor


def wrap(array: "np.ndarray[Any, Any]") -> Tensor:
    """A tensor over an array's own memory, which must not be written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)

"""Batches in parts (micro-batches), for a trial whose batches did not fit into memory whole."""

import copy
import gc
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from fersearch.training.errors import is_out_of_memory
from fersearch.training.fit import Fit

FEWEST = 2  # images in a part: batch normalisation cannot learn from one


def fit_into_memory(fit: Fit, parts: int, fixed: Sequence[nn.Module], seed: int) -> None:
    """Cut batches into `parts`, or twice as many as often as it takes for two steps to fit.

    The two steps leave nothing behind: weights, optimiser and statistics are put back as they were.

    Raises:
        MemoryError, torch.OutOfMemoryError: not even parts of two images fit.
    """
    most = max(1, fit.batches.batch_size // FEWEST)
    before = _on_cpu(fit.state_dict())
    fit.parts = min(parts, most)
    while lacked := _lack(fit, fixed, seed):
        _put_back(fit, before)
        if fit.parts == most:
            raise lacked
        fit.parts = min(2 * fit.parts, most)
    _put_back(fit, before)


def two_steps(fit: Fit, fixed: Sequence[nn.Module], seed: int) -> None:
    """Take two steps on the first batch: an optimiser has all its memory only with the second."""
    fit.train(fixed)
    images, targets = next(iter(fit.batches.epoch(seed)))
    for _ in range(2):
        fit.learn(images, targets)


def _lack(fit: Fit, fixed: Sequence[nn.Module], seed: int) -> Exception | None:
    """Take two steps; what was lacking."""
    try:
        two_steps(fit, fixed, seed)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return error.with_traceback(None)  # whose frames hold all that was computed so far
    return None


def _put_back(fit: Fit, before: dict[str, Any]) -> None:
    fit.updates.zero_grad(set_to_none=True)
    fit.load_state_dict(copy.deepcopy(before))
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _on_cpu(state: Any) -> Any:
    """A copy of a state in the memory of the CPU."""
    if isinstance(state, torch.Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: _on_cpu(value) for key, value in state.items()}
    return [_on_cpu(value) for value in state] if isinstance(state, list) else copy.deepcopy(state)

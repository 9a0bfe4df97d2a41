"""Build networks on the meta device: shapes without memory or values."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_DRAWS = frozenset((torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.erfinv_))


class _NoDraws(TorchFunctionMode):
    """Leaves out the draws of first weights, which have no effect on the meta device and take most of the time."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return args[0] if func in _DRAWS else func(*args, **(kwargs or {}))


@contextmanager
def on_meta() -> Iterator[None]:
    """Make what is built in the block on the meta device, without drawing its first weights."""
    with torch.device("meta"), _NoDraws():
        yield

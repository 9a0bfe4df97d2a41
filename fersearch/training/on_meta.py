"""Build networks on the meta device: shapes without memory or values."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_DRAWS = frozenset((torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.erfinv_))


class _NoDraws(TorchFunctionMode):
    """Leaves out draws into tensors of the meta device, which have no effect there and take most of the time."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        is_idle = func in _DRAWS and args and args[0].is_meta
        return args[0] if is_idle else func(*args, **(kwargs or {}))


@contextmanager
def on_meta() -> Iterator[None]:
    """Make what is built in the block on the meta device, without drawing its first weights."""
    with torch.device("meta"), _NoDraws():
        yield

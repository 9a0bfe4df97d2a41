"""Rebuilding of the network of stored tensors, with a bound on the memory that it may allocate.

The network is built on the meta device first, and its names, shapes, types and total size are compared with the
tensors: a small file that describes a huge network is refused before memory is allocated for it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration

from fersearch.errors import FersearchError, PluginError
from fersearch.training.on_meta import on_meta

ROOM_BYTES = 2**26  # bytes beyond four times the tensors, for weights that a constructor creates and replaces
ROOM_PARTS = 20_000  # modules beyond twenty per tensor
SHOWN = 3  # differences in one message

Build = Callable[[], nn.Module]


def rebuild(build: Build, tensors: Mapping[str, Tensor], name: str) -> nn.Module:
    """Return the network that `build` makes, with the tensors as its weights, on the CPU in evaluation mode.

    Raises:
        FersearchError: the tensors do not match the network, or hold values that are not finite; `name`
            is the name of its builder in messages.
    """
    _require_finite(tensors)
    _compare(_drafted(build, tensors, name), tensors, name)
    model = _built(build, tensors, name)
    _compare(model, tensors, name)
    try:
        model.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise _unfit(name, str(error).splitlines()[-1].strip()) from error
    return model.eval()


def _require_finite(tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise FersearchError(
                f"the checkpoint's weights '{name}' are not finite", "the file is damaged; pull or train it again"
            )


def _drafted(build: Build, tensors: Mapping[str, Tensor], name: str) -> nn.Module:
    """Return the network on the meta device, or on the CPU where it cannot be built there."""
    try:
        with on_meta(), _within(tensors, name):
            return build()
    except FersearchError:
        raise
    except Exception:
        return _built(build, tensors, name)


def _built(build: Build, tensors: Mapping[str, Tensor], name: str) -> nn.Module:
    try:
        with _within(tensors, name):
            return build()
    except FersearchError:
        raise
    except ModuleNotFoundError as error:
        message = f"{name} cannot be built: it needs the module '{error.name}'"
        raise PluginError(message, f"install what has '{error.name}' (pip install)") from error
    except Exception as error:
        raise _unfit(name, f"it cannot be built as the card says: {type(error).__name__}: {error}") from error


@contextmanager
def _within(tensors: Mapping[str, Tensor], name: str) -> Iterator[None]:
    """Limit the modules created in the block: raise as soon as they request much more memory than the tensors hold.

    A weight is counted when its module registers it, before it is filled: memory that was never written is not in
    use yet.
    """
    most = 4 * sum(tensor.nbytes for tensor in tensors.values()) + ROOM_BYTES
    parts, total = 20 * len(tensors) + ROOM_PARTS, 0

    def count(_module: nn.Module, _name: str, part: object) -> None:
        nonlocal parts, total
        parts -= 1
        total += part.nbytes if isinstance(part, Tensor) else 0
        if total > most or parts < 0:
            raise _unfit(name, "it asks for far more weights than the file holds")

    hooks = [
        registration.register_module_parameter_registration_hook(count),
        registration.register_module_buffer_registration_hook(count),
        registration.register_module_module_registration_hook(count),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _compare(model: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    own = {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}
    wrong = [f"'{key}' is missing" for key in own if key not in tensors]
    wrong += [f"'{key}' is not part of it" for key in tensors if key not in own]
    wrong += [
        f"'{key}' is {_kind(tensors[key])}, not {_kind(value)}"
        for key, value in own.items()
        if key in tensors and _kind(tensors[key]) != _kind(value)
    ]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise _unfit(name, "; ".join(wrong[:SHOWN]) + more)


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {'x'.join(map(str, tensor.shape)) or 'scalar'}"


def _unfit(name: str, why: str) -> FersearchError:
    return FersearchError(f"the checkpoint's weights do not fit {name}", why)

"""Initial weights of a model, loaded from a file or a named source."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from fersearch.components import Architecture, Task
from fersearch.errors import FersearchError, UsageError
from fersearch.space import Value

SHOWN = 5  # most names in one message


def start_from(
    architecture: Architecture, model: nn.Module, source: str, params: Mapping[str, Value], task: Task
) -> None:
    """Load initial weights into a model, from a source that the architecture names or from a local file.

    Raises:
        UsageError: the source is neither.
        FersearchError: it cannot be reached or read, or does not fit.
    """
    if source in architecture.weights:
        architecture.load_pretrained(model, source, params, task)
        return
    path = Path(source).expanduser()
    if not path.is_file():
        named = ", ".join(architecture.weights) or "none by name"
        raise UsageError(
            f"weights '{source}': no such file, and {architecture.name} knows no source of that name",
            f"give a .safetensors or .pt file; {architecture.name} knows: {named}",
        )
    fit(model, read_weights(path), architecture.stages(model)[-1], source)


def fetch(architecture: Architecture, source: str, params: Mapping[str, Value], task: Task) -> None:
    """Download the weights of a named source, or read a file, before any trial needs them.

    Raises:
        FersearchError: they cannot be reached, or do not fit.
    """
    start_from(architecture, architecture.build(params, task), source, params, task)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, or of a state dict saved by torch; never executes code of a file.

    Raises:
        FersearchError: the file is neither.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise FersearchError(
            f"weights {path} contain more than tensors, and code in a weights file is never run",
            "save model.state_dict(), or give a .safetensors file",
        ) from error
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FersearchError(
            f"cannot read weights {path}: {first}", "give a .safetensors file, or a state dict saved by torch.save"
        ) from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise FersearchError(f"weights {path} hold no state dict", "save model.state_dict(), not the model")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def fit(model: nn.Module, tensors: Mapping[str, Tensor], classifier: nn.Module, source: str) -> None:
    """Copy tensors into a model by name, in place.

    A convolution of three input channels is summed over them for a model of one channel, which
    is what it would see of a grey image. Tensors of the classifier that do not fit are left out.

    Raises:
        FersearchError: others are missing or have another shape; the message lists them.
    """
    own = model.state_dict()
    free = {id(tensor) for tensor in classifier.state_dict(keep_vars=True).values()}
    loose = {name for name, tensor in model.state_dict(keep_vars=True).items() if id(tensor) in free}
    wrong, fitting = [], {}
    for name, tensor in own.items():
        loaded = _summed(tensors[name], tensor) if name in tensors else None
        if loaded is not None and loaded.shape == tensor.shape:
            fitting[name] = loaded
        elif name not in loose and not name.endswith("num_batches_tracked"):
            wrong.append(f"{name} is missing" if loaded is None else f"{name} is {_size(loaded)}, not {_size(tensor)}")
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise FersearchError(
            f"weights {source} do not fit: {'; '.join(wrong[:SHOWN])}{more}",
            "give weights of the same architecture and options",
        )
    model.load_state_dict(fitting, strict=False)


def _summed(weight: Tensor, parameter: Tensor) -> Tensor:
    if weight.dim() == parameter.dim() == 4 and weight.shape[1] == 3 and parameter.shape[1] == 1:
        return weight.sum(1, keepdim=True)
    return weight


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"

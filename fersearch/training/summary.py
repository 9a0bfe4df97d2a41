"""The layers and the number of weights of a model, counted on the meta device."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from fersearch.components import Architecture, Task, trained_task
from fersearch.space import Value
from fersearch.training.freezing import freeze
from fersearch.training.measure import parameters
from fersearch.training.on_meta import on_meta


def count_on_meta(architecture: Architecture, params: Mapping[str, Value], task: Task) -> dict[str, int]:
    """Count weights on the meta device: `total`, and `trainable` under the freezing rule of `params`."""

    with on_meta():
        model = architecture.build(params, trained_task(task, params))
    freeze(architecture, model, params)
    trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return {"total": parameters(model), "trainable": trainable}


@dataclass(frozen=True)
class Layer:
    """One layer: its output shape for one image, its number of weights, and how many of them are trained."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    trainable: int


def layers(architecture: Architecture, params: Mapping[str, Value], task: Task) -> list[Layer]:
    """Return every layer that a model calls for one image, in order of its first call."""
    task = trained_task(task, params)
    with on_meta():
        model = architecture.build(params, task).eval()
        images = torch.zeros(2, task.channels, task.image_size, task.image_size)
    freeze(architecture, model, params)
    by_name: dict[str, Layer] = {}

    def note(name: str, module: nn.Module) -> Any:
        def called(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                by_name.setdefault(name, _layer(name, module, output))

        return module.register_forward_hook(called)

    for name, module in model.named_modules():
        if not list(module.children()):
            note(name, module)
    with torch.no_grad():
        model(images)
    return list(by_name.values())


def _layer(name: str, module: nn.Module, output: torch.Tensor) -> Layer:
    weights = list(module.parameters())
    trained = sum(weight.numel() for weight in weights if weight.requires_grad)
    total = sum(weight.numel() for weight in weights)
    return Layer(name, type(module).__name__, tuple(output.shape[1:]), total, trained)

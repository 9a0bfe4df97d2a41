"""Features of a frozen prefix, computed once and then used in every epoch.

Where nothing changes the input from epoch to epoch and the first part of a network neither learns nor
draws, that part computes the same features of an image in every epoch. They are used only where this is
verified on two images of the trial: the prefix returns bit for bit the same in training and in evaluation mode,
twice, and the rest of the network computes from its features, bit for bit, the output of the whole network.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from fersearch.training.batches import Pixels
from fersearch.training.freezing import hold
from fersearch.training.memory_format import format_of
from fersearch.training.numerics import Precision, autocast
from fersearch.training.preemption import Preempted, Pulse, unwatched

MOST = 0.25  # share of the free memory that features may take
CHUNK = 64  # images in one pass of the prefix
Path = tuple[str, ...]


class _BoundaryReached(Exception):
    """Raised at the end of the prefix to leave the model's forward pass; carries the features."""

    def __init__(self, features: Tensor) -> None:
        self.features = features


@dataclass(frozen=True)
class Prefix:
    """The frozen first part of a model: everything before `boundary` is called, and `tail`, the model without it.

    `tail` shares its weights with the model and takes features in place of images.
    """

    model: nn.Module
    boundary: nn.Module
    tail: nn.Module
    precision: Precision

    def features(self, images: Tensor) -> Tensor:
        """Return the inputs of the boundary for normalised images, the same in training and in evaluation mode."""
        return _features(self.model, self.boundary, images, self.precision)


class Features:
    """Takes the place of a trial's Pixels: `take` returns the features of rows instead of their images."""

    def __init__(self, prefix: Prefix, pixels: Pixels, rows: "np.ndarray[Any, Any]", pulse: Pulse = unwatched) -> None:
        """Compute the features of some rows only; Preempted if `pulse`, called after each pass, returns True."""
        self._pixels = pixels
        prefix.model.eval()
        parts = []
        for part in torch.split(pixels.rows(rows), CHUNK):
            parts.append(prefix.features(pixels.take(part)))
            if pulse():
                raise Preempted
        self.images = torch.cat(parts)
        self._memory_format = format_of(parts[0])
        if self._memory_format == "channels_last":
            self.images = self.images.permute(0, 2, 3, 1).contiguous()
        self._place = torch.full((len(pixels.images),), -1, device=self.images.device)
        self._place[torch.as_tensor(rows, device=self.images.device)] = torch.arange(
            len(rows), device=self.images.device
        )

    @property
    def device(self) -> torch.device:
        """The device that batches come out on."""
        return self.images.device

    def facts(self) -> dict[str, int | float]:
        """Return the number of images, the number of values of each, and their memory in MB."""
        per_image = self.images[0].numel()
        return {"images": len(self.images), "values": per_image, "megabytes": round(self.images.nbytes / 2**20, 1)}

    def rows(self, indices: "np.ndarray[Any, Any] | Sequence[int]") -> Tensor:
        """Indices of images as `take` wants them."""
        return torch.as_tensor(np.asarray(indices, dtype=np.int64), device=self.device)

    def take(self, rows: Tensor) -> Tensor:
        """Return the features of some rows, in the memory format of the prefix's output."""
        features = self.images.index_select(0, self._place.index_select(0, rows.to(self.device)))
        return features.permute(0, 3, 1, 2) if self._memory_format == "channels_last" else features

    gathered = take

    def arranged(self, images: Tensor) -> Tensor:
        """Return features unchanged: a trial that augments its input caches no prefix."""
        return images


def find_prefix(
    model: nn.Module, pixels: Pixels, rows: "np.ndarray[Any, Any]", fixed: Sequence[nn.Module], precision: Precision
) -> Prefix | None:
    """Return the frozen prefix of a model, None where there is none, its features do not fit, or would not be exact.

    `rows` are all images that the trial sees, `fixed` the layers whose statistics stay as they are.
    """
    if all(weight.requires_grad for weight in model.parameters()):
        return None
    images = pixels.take(pixels.rows(rows[:2]))
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    try:
        calls = _calls(model, images, precision)
        cut = _cut(model, calls)
        if cut is None:
            return None
        prefix = Prefix(model, *cut, precision)
        fits = prefix.features(images)[0].nbytes * len(rows) <= MOST * _free(pixels.device)
        return prefix if fits and _is_exact(prefix, images, fixed) else None
    except Exception:  # the network's own code may fail on features in place of images: then nothing is cached
        return None
    finally:
        model.load_state_dict(state)
        torch.set_rng_state(random)


def _is_exact(prefix: Prefix, images: Tensor, fixed: Sequence[nn.Module]) -> bool:
    before = {name: tensor.clone() for name, tensor in prefix.model.state_dict().items()}
    prefix.model.eval()
    expected = prefix.features(images)
    with torch.no_grad(), autocast(prefix.precision, images.device):
        if not torch.equal(prefix.model(images), prefix.tail.eval()(expected)):
            return False
    for _ in range(2):
        prefix.model.train()
        hold(fixed)
        if not torch.equal(prefix.features(images), expected):
            return False
    after = prefix.model.state_dict()
    return all(torch.equal(after[name], tensor) for name, tensor in before.items())


def _features(model: nn.Module, boundary: nn.Module, images: Tensor, precision: Precision) -> Tensor:
    def stop(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
        (features,) = inputs
        raise _BoundaryReached(features)

    handle = boundary.register_forward_pre_hook(stop, prepend=True)
    try:
        with torch.no_grad(), autocast(precision, images.device):
            model(images)
    except _BoundaryReached as reached:
        return reached.features
    finally:
        handle.remove()
    raise RuntimeError("the model does not call its boundary")


def _calls(model: nn.Module, images: Tensor, precision: Precision) -> list[Path]:
    """Return the paths of the modules in the order in which the model calls them."""
    called: list[Path] = []
    handles: list[RemovableHandle] = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(_recorder(called, tuple(name.split(".")) if name else ())))
    try:
        model.eval()
        with torch.no_grad(), autocast(precision, images.device):
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return called


def _recorder(called: list[Path], path: Path) -> Callable[[nn.Module, Any], None]:
    return lambda _module, _inputs: called.append(path)


def _cut(model: nn.Module, calls: Sequence[Path]) -> tuple[nn.Module, nn.Module] | None:
    """Return the boundary and the tail: down from the model into the first called part that learns, while that is
    mixed."""
    within: Path = ()
    replaced: list[Path] = []
    while True:
        below = [path for path in calls if path[: len(within)] == within and len(path) > len(within)]
        inner = [path for path in dict.fromkeys(below) if not any(_is_inside(other, path) for other in below)]
        learning = next((path for path in inner if _is_trained(model.get_submodule(".".join(path)))), None)
        if learning is None:
            return None
        replaced += inner[: inner.index(learning)]
        boundary = model.get_submodule(".".join(learning))
        if all(weight.requires_grad for weight in boundary.parameters()):
            break
        within = learning
    if not any(list(model.get_submodule(".".join(path)).parameters()) for path in replaced):
        return None
    return boundary, _without(model, replaced)


def _is_inside(outer: Path, path: Path) -> bool:
    return len(outer) < len(path) and path[: len(outer)] == outer


def _is_trained(module: nn.Module) -> bool:
    return any(weight.requires_grad for weight in module.parameters())


def _without(model: nn.Module, paths: Sequence[Path]) -> nn.Module:
    """Return a copy of a model that shares all its weights, with the modules at `paths` replaced by the identity."""
    clone = copy.copy(model)
    clone._modules = dict(model._modules)
    for name in {path[0] for path in paths}:
        inside = [path[1:] for path in paths if path[0] == name]
        part = model._modules[name]
        clone._modules[name] = nn.Identity() if () in inside or part is None else _without(part, inside)
    return clone


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)

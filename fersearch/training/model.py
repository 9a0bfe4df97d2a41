"""A trial's model: built and tried once, frozen by the recipe's rules, started from given weights, summarised."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from fersearch.components import Architecture, Task, trained_task
from fersearch.data.arrays import Loaded, Prepared, load
from fersearch.errors import DataError, FersearchError, UsageError
from fersearch.registry import Registry
from fersearch.space import Value
from fersearch.training.augment import as_judged
from fersearch.training.batches import Pixels, normalised
from fersearch.training.measure import parameters
from fersearch.training.numerics import (
    check_finite,
    derive,
    first_line,
    is_out_of_memory,
)
from fersearch.training.request import TrialRequest

SHOWN = 5  # names in one message


def prepare_torch(name: str, threads: int) -> torch.device:
    """The device of a name, ready to compute the same again: fixed threads, deterministic algorithms.

    Raises:
        UsageError: torch knows no such device, or finds none here.
    """
    torch.set_num_threads(threads)
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"unknown device '{name}'", "give cpu, cuda:0 or mps") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise UsageError(f"device '{name}': torch finds no CUDA device", "train on the CPU: --device cpu")
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return device


def open_data(request: TrialRequest, registry: Registry, round: int = 1) -> Loaded:
    """Map what the trial sees of its dataset in a round, with the mean and standard deviation it normalises by.

    Raises:
        DataError: the prepared copy is another than the one that was asked for.
    """
    params = {**request.dataset_options}
    if "target" in request.params:
        params["target"] = request.params["target"]
    prepared = Prepared.open(Path(request.prepared))
    if request.prepared_digest not in ("", prepared.digest):
        raise DataError(
            f"{prepared.folder} does not hold the data that the driver prepared", "remove the folder and run again"
        )
    dataset = registry.dataset(request.dataset)
    loaded = load(dataset, prepared, params, request.protocol, request.limit, round=round)
    return normalised(loaded, request.params)


def build(architecture: Architecture, request: TrialRequest, loaded: Loaded, pixels: Pixels) -> nn.Module:
    """Build the model under the trial's seed, on its device, and try it on two images.

    Raises:
        FersearchError: building or a first forward pass fails, or gives something else than logits.
        Diverged: the logits of the untrained model are not finite.
    """
    task = trained_task(loaded.task, request.params)
    torch.manual_seed(derive(request.seed, "weights"))
    with _told(f"architecture '{architecture.name}' cannot be built"):
        model = architecture.build(request.params, task)
    if request.weights:
        start_from(architecture, model, request.weights, request.params, task)
    model.to(pixels.device)
    model.eval()
    images = pixels.take(pixels.rows(loaded.indices["train"][:2]))
    with _told(f"architecture '{architecture.name}' fails on images {tuple(images.shape)}"), torch.inference_mode():
        logits = as_judged(model, request.params, tta="none")(images)
    check_logits(architecture, logits, (len(images), loaded.task.num_classes))
    return model


def check_logits(architecture: Architecture, logits: object, wanted: tuple[int, int]) -> None:
    """Raise unless a model returned finite logits of the wanted shape (n, classes)."""
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else None
    if shape != wanted:
        got = _in_words(shape, wanted[0]) if shape is not None else f"a {type(logits).__name__}"
        message = f"architecture '{architecture.name}' returned {got}, expected {_in_words(wanted, wanted[0])}"
        raise FersearchError(message, "build must give a model from images (n, channels, size, size) to (n, classes)")
    check_finite(cast(torch.Tensor, logits), f"the output of the untrained '{architecture.name}'")


def _in_words(shape: tuple[int, ...], count: int) -> str:
    return f"({', '.join('n' if size == count and not axis else str(size) for axis, size in enumerate(shape))})"


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (FersearchError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise FersearchError(f"{what}: {type(error).__name__}: {first_line(error)}") from error


def count_on_meta(architecture: Architecture, params: Mapping[str, Value], task: Task) -> dict[str, int]:
    """Count weights, `total` and `trainable` under the freezing rule of `params`, without memory for them."""

    with torch.device("meta"):
        model = architecture.build(params, trained_task(task, params))
    freeze(architecture, model, params)
    trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return {"total": parameters(model), "trainable": trainable}


def frozen_stages(rule: str, stages: Sequence[nn.Module]) -> list[nn.Module]:
    """The stages that a rule freezes.

    Raises:
        UsageError: there is no such rule for so many stages.
    """
    if rule == "none":
        return []
    if rule == "all_but_last":
        return list(stages[:-1])
    if rule == "all_but_first_and_last":
        return list(stages[1:-1])
    count = rule.removeprefix("first_")
    if count.isdigit() and rule.startswith("first_") and 0 < int(count) < len(stages):
        return list(stages[: int(count)])
    raise UsageError(f"freeze: no rule '{rule}' for {len(stages)} stages", "known: none, all_but_last, first_1 ...")


def freeze(architecture: Architecture, model: nn.Module, params: Mapping[str, Value]) -> list[nn.Module]:
    """Freeze the stages that `params` names, let the others train, and return the layers to `hold`.

    Raises:
        FersearchError: nothing is left to train.
    """
    model.requires_grad_(True)
    rule = str(params.get("freeze", "none"))
    frozen = frozen_stages(rule, architecture.stages(model))
    for stage in frozen:
        stage.requires_grad_(False)
    if not any(weight.requires_grad for weight in model.parameters()):
        raise FersearchError(f"{architecture.name}: freeze={rule} leaves nothing to train", "freeze fewer stages")
    if params.get("frozen_batch_norm") != "fixed":
        return []
    layers = chain.from_iterable(stage.modules() for stage in frozen)
    return [layer for layer in layers if isinstance(layer, _NormBase) and layer.track_running_stats]


def hold(layers: Sequence[nn.Module]) -> None:
    """Keep the running statistics of frozen batch norms as they are, after `model.train()`."""
    for layer in layers:
        layer.eval()


def start_from(
    architecture: Architecture, model: nn.Module, source: str, params: Mapping[str, Value], task: Task
) -> None:
    """Load a source that the architecture names, or a local file of weights, in place.

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
    """Bring the weights of a named source here, or read a file, before any trial needs them.

    Raises:
        FersearchError: they cannot be reached, or do not fit.
    """
    start_from(architecture, architecture.build(params, task), source, params, task)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a state dict that torch saved; never runs what a file holds.

    Raises:
        FersearchError: the file is neither.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise FersearchError(
            f"weights {path} hold more than tensors, and running what a file holds is never allowed",
            "save model.state_dict(), or give a .safetensors file",
        ) from error
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FersearchError(
            f"cannot read weights {path}: {first}", "give a .safetensors file, or a state dict saved by torch.save"
        ) from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise FersearchError(f"weights {path} hold no state dict", "save model.state_dict(), not the model")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def fit(model: nn.Module, tensors: Mapping[str, Tensor], classifier: nn.Module, source: str) -> None:
    """Copy tensors into a model by name, in place.

    A convolution of three input channels that meets one of one channel is summed over them, which
    is what it would see of a grey image. Tensors of the classifier that do not fit are left out.

    Raises:
        FersearchError: others are missing or have another shape; the message lists them.
    """
    own = model.state_dict()
    free = {id(tensor) for tensor in classifier.state_dict(keep_vars=True).values()}
    loose = {name for name, tensor in model.state_dict(keep_vars=True).items() if id(tensor) in free}
    wrong, fitting = [], {}
    for name, tensor in own.items():
        given = _summed(tensors[name], tensor) if name in tensors else None
        if given is not None and given.shape == tensor.shape:
            fitting[name] = given
        elif name not in loose and not name.endswith("num_batches_tracked"):
            wrong.append(f"{name} is missing" if given is None else f"{name} is {_size(given)}, not {_size(tensor)}")
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise FersearchError(
            f"weights {source} do not fit: {'; '.join(wrong[:SHOWN])}{more}",
            "give weights of the same architecture and options",
        )
    model.load_state_dict(fitting, strict=False)


def _summed(given: Tensor, wanted: Tensor) -> Tensor:
    if given.dim() == wanted.dim() == 4 and given.shape[1] == 3 and wanted.shape[1] == 1:
        return given.sum(1, keepdim=True)
    return given


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


@dataclass(frozen=True)
class Layer:
    """One layer: what it gives for one image, its weights, and how many of them are trained."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    trainable: int


def layers(architecture: Architecture, params: Mapping[str, Value], task: Task) -> list[Layer]:
    """Every layer that a model calls for one image; one that is called again is told once."""
    task = trained_task(task, params)
    with torch.device("meta"):
        model = architecture.build(params, task).eval()
        images = torch.zeros(2, task.channels, task.image_size, task.image_size)
    freeze(architecture, model, params)
    found: dict[str, Layer] = {}

    def note(name: str, module: nn.Module) -> Any:
        def called(_module: nn.Module, _given: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                found.setdefault(name, _layer(name, module, output))

        return module.register_forward_hook(called)

    for name, module in model.named_modules():
        if not list(module.children()):
            note(name, module)
    with torch.no_grad():
        model(images)
    return list(found.values())


def _layer(name: str, module: nn.Module, output: torch.Tensor) -> Layer:
    weights = list(module.parameters())
    trained = sum(weight.numel() for weight in weights if weight.requires_grad)
    total = sum(weight.numel() for weight in weights)
    return Layer(name, type(module).__name__, tuple(output.shape[1:]), total, trained)

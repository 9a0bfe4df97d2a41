"""Which layers a trial does not train: the recipe's rules for freezing."""

from collections.abc import Mapping, Sequence
from itertools import chain

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from fersearch.components import Architecture
from fersearch.errors import FersearchError, UsageError
from fersearch.space import Value


def frozen_stages(rule: str, stages: Sequence[nn.Module]) -> list[nn.Module]:
    """Return the stages that a rule freezes.

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

"""A check that a network takes the images of a dataset, made before a study begins."""

from collections.abc import Sequence

import torch

from fersearch.components import Architecture, Task, trained_task
from fersearch.errors import UsageError
from fersearch.space import Params
from fersearch.training.numerics import describe_error, is_out_of_memory


def refuse_unfit(architecture: Architecture, configurations: Sequence[Params], task: Task) -> None:
    """Check that a network takes the images of a task in at least one configuration.

    Raises:
        UsageError: every configuration fails on them.
    """
    problem = ""
    for params in configurations:
        problem = _problem(architecture, params, task)
        if not problem:
            return
    size = f"{task.image_size}x{task.image_size} in {task.channels} {'channels' if task.channels > 1 else 'channel'}"
    raise UsageError(
        f"architecture '{architecture.name}' cannot take images of {size}: {problem}",
        "images are one study's own: change --image-size or --channels, or leave it out of --model",
    )


def _problem(architecture: Architecture, params: Params, task: Task) -> str:
    """Return why a configuration fails on images, tried on the meta device first and on the CPU where that fails."""
    return _trial(architecture, params, task, "meta") and _trial(architecture, params, task, "cpu")


def _trial(architecture: Architecture, params: Params, task: Task, device: str) -> str:
    try:
        seen = trained_task(task, params)
        with torch.device(device), torch.inference_mode():
            architecture.build(params, seen).eval()(torch.zeros(2, seen.channels, seen.image_size, seen.image_size))
    except Exception as error:
        return "" if is_out_of_memory(error) else describe_error(error).replace("\n  ", "; ")
    return ""

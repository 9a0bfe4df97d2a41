"""The task of the network itself, where a trial crops its images. Imports no torch."""

from dataclasses import replace

from fersearch.components import Task
from fersearch.errors import UsageError
from fersearch.space import Params


def trained_task(task: Task, params: Params) -> Task:
    """What the network of a trial is built for: the dataset's task, at `crop` pixels if `params` say so.

    Raises:
        UsageError: the crop is larger than the images.
    """
    crop = int(params.get("crop", task.image_size))
    if crop > task.image_size:
        message = f"crop: {crop} pixels cannot be cut from images of {task.image_size}x{task.image_size}"
        raise UsageError(message, f"give crop={task.image_size} or less, or larger images: --image-size {crop}")
    return replace(task, image_size=crop)

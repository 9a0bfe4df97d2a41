"""Lists of steps, as plain data: those that a dataset declares, and those that pictures from elsewhere need.

`fersearch.data.steps` defines what each step does.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fersearch.components import Dataset
from fersearch.space import Value

Steps = list[dict[str, Any]]
CUTS = ("box", "landmarks")
FACE_MARGIN = 1.2  # a tenth of the landmarks' extent on each side


def standard(image_size: int, channels: int) -> Steps:
    """Return the steps of a dataset that declares no others: colour, then the middle square."""
    return [{"step": "colour", "channels": channels}, {"step": "fit", "size": image_size}]


def boxed(image_size: int, channels: int) -> Steps:
    """Return the dataset's box of the face, then as `standard`."""
    return [{"step": "box", "margin": 1.0}, *standard(image_size, channels)]


def cropped(options: Mapping[str, Value]) -> Steps:
    """Return the steps for an option `crop`: `landmarks`, `centre` (the middle square) or `none` (all of it,
    squeezed)."""
    size, channels = int(options.get("image_size", 48)), int(options.get("channels", 1))
    if options["crop"] == "none":
        return [{"step": "squeeze", "size": size}, {"step": "colour", "channels": channels}]
    cut = [{"step": "landmarks", "margin": FACE_MARGIN}] if options["crop"] == "landmarks" else []
    return [*cut, *standard(size, channels)]


def declared(dataset: Dataset, options: Mapping[str, Value]) -> Steps | None:
    """Return the steps that a dataset declares under some options.

    None where they are not known: it has decoding options of its own, and inherits `steps`.
    """
    if type(dataset).steps is Dataset.steps and dataset.decoding.keys() - Dataset.decoding.keys():
        return None
    return dataset.steps(options)


def with_preprocess(steps: Steps | None, options: Mapping[str, Value]) -> Steps | None:
    """Return the steps followed by the preprocessing that options ask for."""
    name = str(options.get("preprocess", "none"))
    if steps is None or name == "none":
        return steps
    return [*steps, {"step": "preprocess", "name": name}]


def default_of(steps: Sequence[Mapping[str, Any]]) -> Steps:
    """Return the steps for a picture from elsewhere; where sources are merged, the steps of the default source."""
    merged = next((step for step in steps if step["step"] == "by_source"), None)
    if merged is None:
        return [dict(step) for step in steps]
    rest = [dict(step) for step in steps if step["step"] != "by_source"]
    sources = merged["sources"]
    return [*sources.get(merged["default"], next(iter(sources.values()))), *rest]


def without_depth(steps: Sequence[Mapping[str, Any]]) -> Steps:
    """Return the steps without the depth of 16-bit images, which is each dataset's own."""
    return [dict(step) for step in steps if step["step"] != "depth"]


def shape_of(steps: Sequence[Mapping[str, Any]]) -> Steps:
    """Return the steps that give a picture its shape and colours, wherever the face is."""
    return [dict(step) for step in steps if step["step"] not in ("depth", "preprocess", *CUTS)]


def cut_of(steps: Sequence[Mapping[str, Any]]) -> str:
    """Return a short description of the cuts that need what a plain photograph lacks; empty if there are none."""
    return describe([step for step in steps if step["step"] in CUTS])


def describe(steps: Sequence[Mapping[str, Any]]) -> str:
    """Return a short description of steps."""
    return ", ".join(_described(step) for step in steps if step["step"] != "depth")


def shaped(own: Sequence[Mapping[str, Any]], trained: Sequence[Mapping[str, Any]], annotated: bool) -> Steps:
    """Return the steps that give pictures of one dataset the shape of the pictures on which a model was trained.

    If the pictures are `annotated`, their own dataset gives the faces; all else is as in training.
    """
    model = [step for step in default_of(trained) if step["step"] not in ("depth", "preprocess")]
    relevant = [step for step in own if step["step"] == "depth" or (annotated and step["step"] in CUTS)]
    theirs = {step["step"]: step for step in model}
    cut = [dict(theirs.get(step["step"], step)) for step in relevant]
    has_cut = any(step["step"] in CUTS for step in cut)
    return cut + [dict(step) for step in model if not (has_cut and step["step"] in CUTS)]


def _described(step: Mapping[str, Any]) -> str:
    settings: Iterator[str] = (f"{name} {value}" for name, value in step.items() if name not in ("step", "sources"))
    return " ".join([step["step"].replace("_", " "), *settings])

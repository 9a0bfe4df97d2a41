"""Looks up a model of timm, builds it, divides it into stages and loads its weights."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import timm
import torch
from huggingface_hub import constants, try_to_load_from_cache
from torch import nn

from fersearch.errors import FersearchError, UnknownName, UsageError

LISTED = "python -c 'import timm; print(*timm.list_models())' lists all"
FILES = ("model.safetensors", "pytorch_model.bin")


def config(name: str) -> Any:
    """Return timm's configuration of a model: its image size and the location of its weights.

    Raises:
        UnknownName: timm has no such model, or no such tag of weights for it.
    """
    models = timm.list_models()
    family = name.partition(".")[0]
    if family not in models:
        close = get_close_matches(name.lower(), models, n=3) or [model for model in models if name.lower() in model][:3]
        guess = f"did you mean {' or '.join(f'timm:{other}' for other in close)}? " if close else ""
        raise UnknownName(f"timm has no model '{name}'", f"{guess}{LISTED} {len(models)}")
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        tags = ", ".join(f"timm:{tag}" for tag in timm.list_pretrained(f"{family}.*")) or "none"
        raise UnknownName(f"timm:{name}: {error}", f"known: {tags}") from None


def sketch(name: str, image_size: int) -> tuple[nn.Module, frozenset[str]]:
    """Return a model on the meta device, and the options that it does not take.

    Raises:
        UsageError: it is not a classifier.
    """
    options = {"drop_rate": 0.1, "img_size": image_size}
    refused: set[str] = set()
    while True:
        accepted = {option: value for option, value in options.items() if option not in refused}
        try:
            with torch.device("meta"):
                model: nn.Module = timm.create_model(name, **accepted)
            break
        except TypeError as error:
            option = next((option for option in accepted if f"'{option}'" in str(error)), None)
            if option is None:
                raise
            refused.add(option)
    if not hasattr(model, "get_classifier"):
        raise UsageError(f"timm:{name} is not a classifier, only a part of other networks", "choose another model")
    return model, frozenset(refused)


def try_out(name: str, model: nn.Module, channels: int, image_size: int, own_size: int) -> None:
    """Run a new model on one black image, on the device that it was made on.

    Raises:
        UsageError: it cannot take images of that size.
    """
    image = torch.zeros(1, channels, image_size, image_size)
    try:
        with torch.no_grad():
            model.eval()(image)
    except NotImplementedError:
        if not image.is_meta:  # there, some operations are not known though they work
            raise
    except torch.OutOfMemoryError:
        raise
    except (AssertionError, IndexError, RuntimeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise unfit(name, image_size, own_size, error) from error
    finally:
        model.train()


def unfit(name: str, image_size: int, own_size: int, error: Exception) -> UsageError:
    """Return the error of a model that cannot take images of a size."""
    reason = (str(error).strip().splitlines() or ["no reason given"])[0]
    return UsageError(
        f"{name} cannot take images of {image_size}x{image_size}: {type(error).__name__}: {reason}",
        f"it was made for {own_size}x{own_size}: --image-size {own_size}, or choose another model",
    )


def stages_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return a model's parts by name, input first: up to each module whose features it offers, the neck, the head.

    Every weight is in one of them. One without weights is joined to the next.
    """
    classifier = model.get_classifier()
    heads = list(classifier) if isinstance(classifier, tuple | list) else [classifier]
    ends = {info["module"] for info in getattr(model, "feature_info", ()) if isinstance(info, dict)}
    stages: dict[str, nn.Module] = {}
    parts: list[nn.Module] = []
    seen: set[int] = set()
    for path, part in _parts(model, "", ends, heads):
        parts.append(_without(part, seen))
        if path in ends and _has_weights(parts):
            stages[path] = nn.ModuleList(parts)
            parts = []
    if _has_weights(parts):
        stages["neck" if stages else "features"] = nn.ModuleList(parts)
    return {**stages, "head": nn.ModuleList(heads)}


def _parts(module: nn.Module, path: str, ends: set[str], heads: list[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """Yield the largest modules in which no stage ends before they do, in order; loose weights in lists of their
    own."""
    if loose := list(module.parameters(recurse=False)):
        yield "", nn.ParameterList(loose)
    for name, child in module.named_children():
        here = f"{path}{name}"
        if any(child is head for head in heads):
            continue
        if any(end.startswith(f"{here}.") for end in ends) or any(head in child.modules() for head in heads):
            yield from _parts(child, f"{here}.", ends, heads)
            if here in ends:
                yield here, nn.Identity()
        else:
            yield here, child


def _without(part: nn.Module, seen: set[int]) -> nn.Module:
    """Return a part or, where it shares weights with an earlier one, only its own weights."""
    weights = list(part.parameters())
    own = [weight for weight in weights if id(weight) not in seen]
    seen |= {id(weight) for weight in own}
    return part if len(own) == len(weights) else nn.ParameterList(own)


def _has_weights(parts: list[nn.Module]) -> bool:
    return any(True for part in parts for _ in part.parameters())


def at_hand(name: str, pretrained: Any) -> dict[str, Any]:
    """Return the arguments with which timm loads weights: the file, if the hub's cache has it; else none.

    Raises:
        FersearchError: the cache lacks it, and the hub cannot be reached.
    """
    if not pretrained.hf_hub_id or pretrained.hf_hub_filename:
        return {}
    for file in FILES:
        path = try_to_load_from_cache(pretrained.hf_hub_id, file)
        if isinstance(path, str):
            return {"pretrained_cfg_overlay": {"file": path, "custom_load": False}}
    try:
        urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=10).close()
    except HTTPError:
        pass  # it answers
    except OSError as error:
        raise FersearchError(
            f"cannot download the weights of {name}: {error}",
            f"get {FILES[0]} of {constants.ENDPOINT}/{pretrained.hf_hub_id} where there is a network, "
            "and give it: --weights FILE",
        ) from error
    return {}

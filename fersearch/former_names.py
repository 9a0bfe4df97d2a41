"""Values that stored files and databases of earlier versions hold under another name than this version uses."""

from typing import Any

PREPROCESSING = {"ferplus": "illumination"}


def with_current_names(stored: Any) -> Any:
    """Return plain data with each preprocessing under its current name.

    It stands as an option (`{"preprocess": NAME}`), a dimension's choices, or a decoding step
    (`{"step": "preprocess", "name": NAME}`), at any depth.
    """
    if isinstance(stored, list):
        return [with_current_names(each) for each in stored]
    if not isinstance(stored, dict):
        return stored
    current = {key: with_current_names(value) for key, value in stored.items()}
    if "preprocess" in current:
        current["preprocess"] = _renamed(current["preprocess"])
    if current.get("step") == "preprocess":
        current["name"] = _renamed(current.get("name"))
    return current


def _renamed(value: Any) -> Any:
    """Return a name, or the names anywhere in a dimension, as they are now."""
    if isinstance(value, str):
        return PREPROCESSING.get(value, value)
    if isinstance(value, list):
        return [_renamed(each) for each in value]
    return {key: _renamed(each) for key, each in value.items()} if isinstance(value, dict) else value

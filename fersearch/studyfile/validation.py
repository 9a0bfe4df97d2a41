"""Validation of a study file's data; each mistake as `key: value given; values allowed`."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from fersearch.errors import suggestion
from fersearch.recipe import OPTIMISATION, REGULARISATION
from fersearch.studyfile.schema import SECTIONS, Range, StudySection, shown


def validate(data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the valid part of a study file's data, missing keys as None, and the mistakes; `data` loses these."""
    if isinstance(data.get("space"), dict):
        data["space"] = flat(data["space"])
    mistakes = _clashes(data)
    try:
        study = StudySection.model_validate(data)
    except ValidationError as error:
        problems: list[dict[str, Any]] = [
            {**problem, "loc": _written(data, problem["loc"])} for problem in error.errors(include_url=False)
        ]
        mistakes += map(_line, problems)
        for problem in problems:
            _drop(data, problem["loc"])
        study = StudySection.model_validate(data)
    return study.model_dump(), mistakes


def flat(space: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the settings of a table and of those in it, by names such as `cnn.width`."""
    settings: dict[str, Any] = {}
    for name, value in space.items():
        is_table = isinstance(value, dict) and value and not set(value) & set(Range.model_fields)
        settings |= flat(value, f"{above}{name}.") if is_table else {f"{above}{name}": value}
    return settings


def _clashes(data: Mapping[str, Any]) -> list[str]:
    """Return the mistakes of keys that set one thing twice."""
    mistakes = []
    dataset, space = data.get("dataset"), data.get("space")
    if "data" in data and isinstance(dataset, dict) and "data" in dataset:
        mistakes.append("data: given twice, also as dataset.data; keep one")
    if "data" in data and isinstance(dataset, list) and len(dataset) > 1:
        mistakes.append("data: one folder for several datasets; write it into each [[dataset]]")
    protocol = data.get("protocol")
    if isinstance(protocol, dict) and {"seed", "split_seed"} <= set(protocol):
        mistakes.append("protocol.seed: given twice, also as protocol.split_seed; keep split_seed")
    if "epochs" in data and isinstance(space, dict) and "epochs" in space:
        mistakes.append("epochs: given twice, also as space.epochs; keep one")
    return mistakes


def _written(data: Mapping[str, Any], place: Sequence[Any]) -> tuple[Any, ...]:
    """Return the location of a mistake in the file, which may have a single value where a list is read."""
    is_single = len(place) > 1 and isinstance(place[1], int) and not isinstance(data.get(place[0]), list)
    return (place[0], *place[2:]) if is_single else tuple(place)


def _drop(data: Any, place: Sequence[Any]) -> None:
    """Remove the smallest table entry that holds a mistake."""
    for key in place[:-1]:
        if not isinstance(data.get(key), dict):
            data.pop(key, None)
            return
        data = data[key]
    data.pop(place[-1], None)


def _line(problem: Mapping[str, Any]) -> str:
    """Return one of pydantic's errors as `key: value given; values allowed`."""
    place = [str(part) for part in problem["loc"]]
    key, kind, came, context = ".".join(place), problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{key}: {_unknown(place)}"
    if kind == "value_error":
        return f"{key}: {context['error']}"
    if kind == "literal_error":
        offered = context["expected"].replace("'", "").replace(" or ", ", ")
        near = suggestion(str(came), offered.split(", ")).replace("known:", "offered:")
        return f"{key}: {shown(came)} is not offered; {near}"
    return f"{key}: {shown(came)} {_expected(kind, context, problem['msg'])}"


def _unknown(place: Sequence[str]) -> str:
    parent, name = ".".join(part for part in place[:-1] if not part.isdigit()), place[-1]
    if not parent and name in {**OPTIMISATION, **REGULARISATION}:
        return "a parameter of the search space; write it under [space]"
    return f"unknown key; {suggestion(name, SECTIONS[parent].model_fields)}"


def _expected(kind: str, context: Mapping[str, Any], fallback: str) -> str:
    problems = {
        "bool_type": "is neither true nor false",
        "int_type": "is not a whole number",
        "int_from_float": "is not a whole number",
        "float_type": "is not a number",
        "string_type": "is not text; put it in quotes",
        "list_type": "is not a list",
        "dict_type": "is not a table",
        "model_type": "is not a table",
        "greater_than": f"is not above {context.get('gt', 0):g}",
        "greater_than_equal": f"is below {context.get('ge', 0):g}",
        "less_than_equal": f"is above {context.get('le', 0):g}",
        "too_short": f"needs {context.get('min_length')} values",
        "too_long": f"has more than {context.get('max_length')} values",
    }
    return problems.get(kind) or f"cannot be used: {fallback[:1].lower()}{fallback[1:]}"

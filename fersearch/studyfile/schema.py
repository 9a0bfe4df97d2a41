"""The shape of a study file, made from the table of options: what pydantic checks, and its JSON Schema."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic.json_schema import GenerateJsonSchema

from fersearch import formatting
from fersearch.space import Value
from fersearch.study_options import StudyOption, in_table

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Scalar = bool | int | float | str


class Section(BaseModel):
    """A table of a study file."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Range(Section):
    """The ends of a range, on the parameter's own scale."""

    low: int | float
    high: int | float


def shown(value: Value | Any) -> str:
    """Return a value as the file writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(shown(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {shown(item)}" for key, item in value.items()) + "}"
    return repr(value)


def _text(value: Any) -> str:
    """Return a value of the file in the language of `--set`; ValueError if it is not one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, list) and value and all(isinstance(item, Scalar) for item in value):
        return ",".join(_text(item) for item in value)
    if isinstance(value, dict) and set(value) == {"low", "high"}:
        return f"{_text(value['low'])}..{_text(value['high'])}"
    raise ValueError(f"{shown(value)} is not a setting; write a value, a list of values, 'LOW..HIGH' or {{low, high}}")


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _each_named(value: Any) -> Any:
    """Return one dataset or several, each by name or as a table, as a list of tables."""
    several = value if isinstance(value, list) else [value]
    return [{"name": item} if isinstance(item, str) else item for item in several]


def _sum_to_one(ratios: list[float]) -> list[float]:
    if abs(sum(ratios) - 1) > 1e-6:
        raise ValueError(f"{shown(ratios)} sums to {sum(ratios):g}; the shares of train, valid and test sum to 1")
    return ratios


def _integer(option: StudyOption) -> Any:
    return Annotated[int, Field(gt=0) if option.least == 1 else Field(ge=option.least)]


Share = Annotated[float, Field(ge=0, le=1)]
Setting = Annotated[str, BeforeValidator(_text, json_schema_input_type=Scalar | list[Scalar] | Range)]
OfArchitecture = Annotated[
    dict[str, Setting], Field(json_schema_extra={"propertyNames": {"not": {"enum": list(Range.model_fields)}}})
]
Settings = Annotated[
    dict[str, Setting],
    BeforeValidator(lambda value: value, json_schema_input_type=dict[str, Setting | OfArchitecture]),
]
"""Settings by name, those of an architecture also in a table of its own; that is made flat before it is read."""
OneOrMore = BeforeValidator(_listed, json_schema_input_type=str | list[str])
TYPES: dict[str, Callable[[StudyOption], Any]] = {
    "text": lambda _: str,
    "path": lambda _: str,
    "texts": lambda _: Annotated[list[str], OneOrMore],
    "paths": lambda _: Annotated[list[str], OneOrMore],
    "integer": _integer,
    "choice": lambda option: Literal[option.choices],
    "switch": lambda _: bool,
    "setting": lambda _: Setting,
    "settings": lambda _: Settings,
    "duration": lambda _: Annotated[
        float, BeforeValidator(formatting.seconds, json_schema_input_type=str | int | float)
    ],
    "shares": lambda _: Annotated[list[Share], Field(min_length=3, max_length=3), AfterValidator(_sum_to_one)],
}


class DatasetSection(Section):
    """`[dataset]`: its name, where its files are, and its options."""

    name: str | None = Field(None, description="A dataset, as `fersearch dataset list` names it")
    data: str | None = Field(None, description="Its folder or file")
    options: dict[str, Setting] = Field({}, description="Its options, as `fersearch dataset show` lists them")


def _fields(table: str) -> dict[str, Any]:
    """Return the fields of a table by key; each may be left out."""
    return {option.place[1]: (TYPES[option.kind](option) | None, _described(option)) for option in in_table(table)}


def _described(option: StudyOption) -> Any:
    default = option.default.strip("`")
    known = {"integer": int(default) if default.isdecimal() else None, "choice": default}.get(option.kind)
    extra: Any = {} if known is None else {"default": known}
    return Field(None, description=option.meaning or option.help, json_schema_extra=extra)


def _at_least_one(description: str | None) -> Any:
    return (Annotated[list[str], OneOrMore, Field(min_length=1)] | None, Field(None, description=description))


_protocol = _fields("protocol")
_protocol["seed"] = (_protocol["split_seed"][0], Field(None, description="Old name of split_seed", deprecated=True))
ProtocolSection = create_model(
    "ProtocolSection", __base__=Section, __doc__="`[protocol]`: how a trial is evaluated.", **_protocol
)
_study = _fields("")
_study |= {name: _at_least_one(_study[name][1].description) for name in ("model", "objectives")}
_study["dataset"] = (
    Annotated[
        list[DatasetSection],
        BeforeValidator(_each_named, json_schema_input_type=str | DatasetSection | list[str | DatasetSection]),
    ],
    Field([], description=_study["dataset"][1].description),
)
_study["space"] = _study.pop("space")
_study["protocol"] = (ProtocolSection, Field(default_factory=ProtocolSection, description="How a trial is evaluated"))
StudySection = create_model(
    "StudySection", __base__=Section, __doc__="A study file; every key may be left out and given by a flag.", **_study
)
SECTIONS: dict[str, type[Section]] = {"": StudySection, "dataset": DatasetSection, "protocol": ProtocolSection}


class _Schema(GenerateJsonSchema):
    """A JSON Schema without null, which TOML has not, and without titles that repeat the keys."""

    def nullable_schema(self, schema: Any) -> Any:
        """Return the inner schema without null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> Any:
        """Return the schema of a field without `default`, since the field states its own."""
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Leave titles out."""
        return False


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a study file, for editors and forms."""
    return {
        "$schema": DIALECT,
        **StudySection.model_json_schema(schema_generator=_Schema),
        "title": "A study of fersearch",
    }

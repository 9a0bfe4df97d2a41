"""The flags that commands share, each described once."""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from fersearch import durations
from fersearch.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])
WHAT, HOW, RUN = "What is searched", "How it is searched", "How it is run"


def _option(*names: str, help: str, panel: str | None = None, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, metavar=metavar)


Storage = Annotated[
    str | None,
    _option("--storage", metavar="URL", help="Database; default FERSEARCH_STORAGE, else SQLite in FERSEARCH_HOME."),
]
AsJson = Annotated[bool, _option("--json", help="Print JSON and nothing else.")]
Yes = Annotated[bool, _option("--yes", "-y", help="Do not ask.")]
Plugins = Annotated[
    list[Path] | None, _option("--plugin", metavar="FILE", help="Also use this plugin file; repeatable.")
]
Data = Annotated[Path | None, _option("--data", metavar="PATH", help="Folder or file of the dataset.")]
Options = Annotated[
    list[str] | None, _option("--option", metavar="NAME=VALUE", help="An option of the dataset; repeatable.")
]
ImageSize = Annotated[int | None, _option("--image-size", metavar="PIXELS", help="Side of the images.")]
Channels = Annotated[int | None, _option("--channels", help="1 grey, 3 colour.")]
Target = Annotated[str | None, _option("--target", help="Training target, as `dataset show` lists them.")]


@dataclass(frozen=True)
class DatasetFlags:
    """Which data a command means, and how it is decoded."""

    data: Data = None
    option: Options = None
    image_size: ImageSize = None
    channels: Channels = None

    def options(self) -> dict[str, str]:
        """The dataset's options by name, as text."""
        given = pairs("--option", self.option)
        short = {"image_size": self.image_size, "channels": self.channels}
        return {**given, **{name: str(value) for name, value in short.items() if value is not None}}


@dataclass(frozen=True)
class StudyFlags:
    """What a study is asked to do; each flag overrides a study file's key."""

    model: Annotated[
        str | None, _option("--model", "-m", panel=WHAT, help="Architecture, as `plugin list` names it.")
    ] = None
    dataset: Annotated[
        str | None, _option("--dataset", "-d", panel=WHAT, help="Dataset, as `dataset list` names it.")
    ] = None
    data: Annotated[
        Path | None, _option("--data", panel=WHAT, metavar="PATH", help="Folder or file of the dataset.")
    ] = None
    option: Annotated[
        list[str] | None,
        _option("--option", panel=WHAT, metavar="NAME=VALUE", help="An option of the dataset; repeatable."),
    ] = None
    image_size: Annotated[
        int | None, _option("--image-size", panel=WHAT, metavar="PIXELS", help="Side of the images.")
    ] = None
    channels: Annotated[int | None, _option("--channels", panel=WHAT, help="1 grey, 3 colour.")] = None
    target: Annotated[str | None, _option("--target", panel=WHAT, help="Training target of the dataset.")] = None
    split: Annotated[str | None, _option("--split", panel=WHAT, help="auto, official or ratios.")] = None
    limit: Annotated[
        int | None, _option("--limit", panel=WHAT, help="Use so many images of train and valid, a stratified subset.")
    ] = None
    set: Annotated[
        list[str] | None,
        _option(
            "--set", panel=WHAT, metavar="NAME=...", help="Narrow a parameter: VALUE, LOW..HIGH or a,b,c; repeatable."
        ),
    ] = None
    weights: Annotated[str | None, _option("--weights", panel=WHAT, help="Start from a named source or a file.")] = None
    plugin: Annotated[
        list[Path] | None,
        _option("--plugin", panel=WHAT, metavar="FILE", help="Also use this plugin file; repeatable."),
    ] = None
    name: Annotated[str | None, _option("--name", panel=HOW, help="The study's name; default MODEL-DATASET.")] = None
    objective: Annotated[
        list[str] | None,
        _option(
            "--objective", panel=HOW, metavar="METRIC[:max|min]", help="What is better; repeatable, the first decides."
        ),
    ] = None
    trials: Annotated[int | None, _option("--trials", panel=HOW, help="End after so many trials.")] = None
    timeout: Annotated[
        str | None, _option("--timeout", panel=HOW, metavar="DURATION", help="End after 90, 90s, 55m or 2h of running.")
    ] = None
    epochs: Annotated[
        str | None, _option("--epochs", panel=HOW, help="Epochs of a trial: N, or LOW..HIGH to search it.")
    ] = None
    seed: Annotated[int | None, _option("--seed", panel=HOW, help="Seed of everything random.")] = None
    sampler: Annotated[str | None, _option("--sampler", panel=HOW, help="tpe, nsga2, random, grid, gp or qmc.")] = None
    pruner: Annotated[str | None, _option("--pruner", panel=HOW, help="pareto, or none.")] = None
    precision: Annotated[str | None, _option("--precision", panel=HOW, help="auto, float32 or bf16.")] = None

    def keywords(self) -> dict[str, Any]:
        """What was given, as keywords of `api.create_study`."""
        data = DatasetFlags(self.data, self.option, self.image_size, self.channels)
        settings = pairs("--set", self.set) | ({"target": self.target} if self.target else {})
        same = ("model", "dataset", "name", "data", "trials", "epochs", "limit", "seed", "sampler", "pruner", "weights")
        given = {name: getattr(self, name) for name in (*same, "precision", "split")}
        given |= {"dataset_options": data.options(), "settings": settings, "objectives": list(self.objective or ())}
        given |= {"timeout": duration("--timeout", self.timeout), "plugins": list(self.plugin or ())}
        return {name: value for name, value in given.items() if value not in (None, {}, [])}


@dataclass(frozen=True)
class RunFlags:
    """Where and how trials run."""

    slots: Annotated[
        int | None, _option("--slots", panel=RUN, help="Trials at once; default one a GPU, else one a core.")
    ] = None
    slots_per_gpu: Annotated[int | None, _option("--slots-per-gpu", panel=RUN, help="Trials at once on each GPU.")] = (
        None
    )
    in_process: Annotated[
        bool, _option("--in-process", panel=RUN, help="Run one trial without forking, for a debugger.")
    ] = False


def pairs(flag: str, texts: Sequence[str] | None) -> dict[str, str]:
    """Read NAME=VALUE texts; UsageError for one without a name or given twice."""
    found: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if not name or not equals or not value:
            raise UsageError(f"{flag} '{text}' is not NAME=VALUE", f"write {flag} NAME=VALUE, without blanks around =")
        if name in found:
            raise UsageError(f"{flag} gives '{name}' twice", f"give it once; several values go as {name}=a,b,c")
        found[name] = value
    return found


def duration(flag: str, text: str | None) -> float | None:
    """Read a duration in seconds; UsageError if it is none."""
    try:
        return None if text is None else durations.seconds(text)
    except ValueError as error:
        problem, _, advice = str(error).partition("; ")
        raise UsageError(f"{flag}: {problem}", advice) from None


def flat(command: Command) -> Command:
    """Let a command take records of flags: every field of a dataclass parameter becomes a flag of its own."""
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    records: dict[str, Any] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if is_dataclass(hints[name]):
            records[name] = hints[name]
            parameters += inspect.signature(hints[name]).parameters.values()
        else:
            parameters.append(parameter)

    @functools.wraps(command)
    def spread(**given: Any) -> Any:
        for name, record in records.items():
            given[name] = record(**{field: given.pop(field) for field in inspect.signature(record).parameters})
        return command(**given)

    keyword_only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    spread.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    spread.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return spread  # type: ignore[return-value]

"""The flags that commands share, each described once."""

import functools
import inspect
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer
import typer.core

from fersearch import formatting, trust
from fersearch.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])


Storage = Annotated[
    str | None,
    typer.Option(
        "--storage", metavar="URL", help="Database; default FERSEARCH_STORAGE, else SQLite in FERSEARCH_HOME."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Keep = Annotated[
    str | None,
    typer.Option("--keep", metavar="front|all|best:N", help="Whose checkpoints stay on the disk; default the front's."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Plugins = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="FILE", help="Also use this plugin file; repeatable.")
]
Data = Annotated[Path | None, typer.Option("--data", metavar="PATH", help="Folder or file of the dataset.")]
Options = Annotated[
    list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="An option of the dataset; repeatable.")
]
ImageSize = Annotated[int | None, typer.Option("--image-size", metavar="PIXELS", help="Side of the images.")]
Channels = Annotated[int | None, typer.Option("--channels", help="1 grey, 3 colour.")]
Target = Annotated[str | None, typer.Option("--target", help="Training target, as `dataset show` lists them.")]


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

    model: Annotated[str | None, typer.Option("--model", "-m", help="Architecture, as `plugin list` names it.")] = None
    dataset: Annotated[str | None, typer.Option("--dataset", "-d", help="Dataset, as `dataset list` names it.")] = None
    data: Data = None
    option: Options = None
    image_size: ImageSize = None
    channels: Channels = None
    target: Target = None
    split: Annotated[str | None, typer.Option("--split", help="auto, official, ratios, kfold or loso.")] = None
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            help="How rows are assigned when a split is drawn: class (stratified), subject (grouped), chance; or auto.",
        ),
    ] = None
    ratios: Annotated[
        str | None,
        typer.Option("--ratios", metavar="60/20/20", help="Shares of train, valid and test; means --split ratios."),
    ] = None
    split_seed: Annotated[int | None, typer.Option("--split-seed", help="Seed that images are split by.")] = None
    folds: Annotated[int | None, typer.Option("--folds", help="Train on so many folds; means --split kfold.")] = None
    repeats: Annotated[int | None, typer.Option("--repeats", help="Train each trial N times with different seeds.")] = (
        None
    )
    duplicates: Annotated[
        str | None, typer.Option("--duplicates", help="keep, or drop: leave out of train what valid or test repeat.")
    ] = None
    limit: Annotated[
        int | None, typer.Option("--limit", help="Use so many images of train and valid, a stratified subset.")
    ] = None
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=...", help="Narrow a parameter: VALUE, LOW..HIGH or a,b,c; repeatable."),
    ] = None
    weights: Annotated[str | None, typer.Option("--weights", help="Start from a named source or a file.")] = None
    plugin: Plugins = None
    name: Annotated[str | None, typer.Option("--name", help="The study's name; default MODEL-DATASET.")] = None
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            metavar="METRIC[:max|min]",
            help="Metric to optimise; repeatable, the first ranks checkpoints.",
        ),
    ] = None
    trials: Annotated[int | None, typer.Option("--trials", help="End after so many trials.")] = None
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="DURATION", help="End after 90, 90s, 55m or 2h of running.")
    ] = None
    epochs: Annotated[str | None, typer.Option("--epochs", help="Epochs of a trial: N, or LOW..HIGH to search it.")] = (
        None
    )
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of everything random.")] = None
    sampler: Annotated[str | None, typer.Option("--sampler", help="tpe, nsga2, random, grid, ofat, gp or qmc.")] = None
    pruner: Annotated[str | None, typer.Option("--pruner", help="pareto, or none.")] = None
    precision: Annotated[str | None, typer.Option("--precision", help="auto, float32 or bf16.")] = None
    refit: Annotated[
        int | None, typer.Option("--refit", help="After the search, retrain the best configuration N times.")
    ] = None
    unseen: Annotated[
        list[str] | None,
        typer.Option(
            "--unseen", help="At the end judge the best model on this dataset, NAME or NAME=PATH; repeatable."
        ),
    ] = None
    keep: Keep = None

    def keywords(self) -> dict[str, Any]:
        """What was given, as keywords of `api.create_study`."""
        data = DatasetFlags(self.data, self.option, self.image_size, self.channels)
        settings = pairs("--set", self.set) | ({"target": self.target} if self.target else {})
        same: tuple[str, ...] = ("model", "dataset", "name", "data", "trials", "epochs", "limit", "seed", "sampler")
        same += ("pruner", "weights", "keep")
        same += ("precision", "split", "split_seed", "by", "folds", "repeats", "duplicates", "refit")
        given = {name: getattr(self, name) for name in same}
        given["ratios"] = shares(self.ratios)
        given["unseen"] = list(self.unseen or ())
        given |= {"dataset_options": data.options(), "settings": settings, "objectives": list(self.objective or ())}
        given |= {"timeout": duration("--timeout", self.timeout), "plugins": list(self.plugin or ())}
        return {name: value for name, value in given.items() if value not in (None, {}, [])}


def shares(text: str | None) -> tuple[float, float, float] | None:
    """The shares of train, valid and test in `60/20/20`, `0.6/0.2/0.2` or `48:6:6`, which sum to 1 in the end.

    Raises:
        UsageError: there are not three, or one is no number or negative.
    """
    if text is None:
        return None
    try:
        train, valid, test = (float(part) for part in re.split(r"[/:,]", text))
    except ValueError:
        train = valid = test = math.nan
    whole = train + valid + test
    if not (min(train, valid, test) >= 0 < whole < math.inf):
        raise UsageError(f"--ratios {text} are no shares", "give those of train, valid and test, such as 60/20/20")
    return train / whole, valid / whole, test / whole


def _artifacts(url: str | None) -> str | None:
    """Let this command, and all that it starts, keep checkpoints at a URL, as the environment variable would."""
    if url:
        os.environ["FERSEARCH_ARTIFACTS"] = url
    return url


@dataclass(frozen=True)
class RunFlags:
    """Where and how trials run."""

    slots: Annotated[
        int | None, typer.Option("--slots", help="Trials at once; default one a GPU, else one a core.")
    ] = None
    slots_per_gpu: Annotated[
        str | None,
        typer.Option("--slots-per-gpu", metavar="N|auto", help="Trials at once on each GPU; auto: what fits."),
    ] = None
    threads_per_slot: Annotated[
        int | None, typer.Option("--threads-per-slot", help="CPU threads of each trial; default the cores shared out.")
    ] = None
    exclusive_timing: Annotated[
        bool, typer.Option("--exclusive-timing", help="At the end time each trial of the front again, alone.")
    ] = False
    in_process: Annotated[bool, typer.Option("--in-process", help="Run one trial without forking, for a debugger.")] = (
        False
    )
    engine: Annotated[str, typer.Option("--engine", help="local: this machine; ray: a cluster, by Ray Tune.")] = "local"
    ray_address: Annotated[
        str | None,
        typer.Option("--ray-address", metavar="auto|HOST:PORT|local", help="The cluster; local starts one here."),
    ] = None
    artifacts: Annotated[
        str | None,
        typer.Option(
            "--artifacts",
            metavar="URL",
            callback=_artifacts,
            help="Where checkpoints and states go, a folder or s3://...; default FERSEARCH_ARTIFACTS, else the home.",
        ),
    ] = None
    hung_after: Annotated[
        str | None,
        typer.Option(
            "--hung-after",
            metavar="DURATION",
            help="Kill and retry a trial without a heartbeat for this long; default 10m, 0 never.",
        ),
    ] = None
    grace: Annotated[
        str | None,
        typer.Option("--grace", metavar="DURATION", help="How long trials may save after SIGTERM; default 30s."),
    ] = None
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell every epoch of every trial.")] = False

    def keywords(self) -> dict[str, Any]:
        """Where and how, as keywords of `api.run_study`; how long trials are waited for only where that was given."""
        same = ("slots", "slots_per_gpu", "threads_per_slot", "exclusive_timing", "in_process", "engine", "ray_address")
        patience = {
            "hung_after": duration("--hung-after", self.hung_after, zero=True),
            "grace": duration("--grace", self.grace, zero=True),
        }
        return {name: getattr(self, name) for name in same} | {k: v for k, v in patience.items() if v is not None}


def _trusting(wanted: bool) -> bool:
    if wanted:
        trust.ask = lambda question: True  # noqa: ARG005
    return wanted


TrustStored = Annotated[
    bool,
    typer.Option("--trust-plugin", callback=_trusting, help="Let code that a study keeps run here, now and later."),
]


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


def duration(flag: str, text: str | None, *, zero: bool = False) -> float | None:
    """Read a duration in seconds, which is above zero unless `zero`; UsageError if it is none."""
    try:
        return None if text is None else formatting.seconds(text, zero=zero)
    except ValueError as error:
        problem, _, advice = str(error).partition("; ")
        raise UsageError(f"{flag}: {problem}", advice) from None


class OnceEach(typer.core.TyperCommand):
    """A command that refuses a flag given twice where only the last would count."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse a command line, each flag of one value at most once; UsageError names the flag otherwise."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        options: list[Any] = [one for one in given if one.param_type_name == "option"]
        single = [one for one in options if not one.multiple and not one.is_flag]
        for option, times in Counter(single).items():
            if times > 1:
                raise UsageError(f"{option.opts[0]} is given {times} times", "give it once")
        return super().parse_args(ctx, args)


def refuse_repeats(app: typer.Typer) -> None:
    """Let the commands of an app refuse a flag of one value that is given twice."""
    for command in app.registered_commands:
        command.cls = OnceEach


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

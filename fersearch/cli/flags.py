"""Flags shared by several commands."""

import inspect
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from fersearch import formatting, trust
from fersearch.cli import completion
from fersearch.errors import UsageError
from fersearch.run_options import RunOptions
from fersearch.study_options import BY_NAME, END, OPTIONS, StudyOption

Storage = Annotated[
    str | None,
    typer.Option(
        "--storage", metavar="URL", help="Database; default FERSEARCH_STORAGE, else SQLite in FERSEARCH_HOME."
    ),
]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="The study's name.", autocompletion=completion.studies)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
RUN = "Where and how trials run"
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
TYPES: dict[str, Any] = {
    "integer": int,
    "path": Path,
    "texts": list[str],
    "settings": list[str],
    "paths": list[Path],
    "switch": bool,
}
"""Type of a flag's value by the kind of its study option; `str` for all other kinds."""


def _flag(name: str) -> Any:
    option = BY_NAME[name]
    metavar = option.metavar or {"integer": "N", "choice": "|".join(option.choices)}.get(option.kind, "NAME")
    return typer.Option(
        *option.flags,
        metavar=None if option.kind == "switch" else metavar,
        help=option.help,
        rich_help_panel=option.group or None,
        autocompletion={"model": completion.architectures, "dataset": completion.datasets}.get(name),
    )


Keep = Annotated[str | None, _flag("keep")]
Plugins = Annotated[list[Path] | None, _flag("plugins")]
Data = Annotated[Path | None, _flag("data")]
Options = Annotated[list[str] | None, _flag("dataset_options")]
ImageSize = Annotated[int | None, _flag("image_size")]
Channels = Annotated[int | None, _flag("channels")]
Target = Annotated[str | None, _flag("target")]


@dataclass(frozen=True)
class DatasetFlags:
    """The dataset that a command uses, and how it is decoded."""

    data: Data = None
    option: Options = None
    image_size: ImageSize = None
    channels: Channels = None

    def options(self) -> dict[str, str]:
        """Return the dataset's options by name, as text."""
        options = pairs("--option", self.option)
        short = {"image_size": self.image_size, "channels": self.channels}
        return {**options, **{name: str(value) for name, value in short.items() if value is not None}}


def _type(option: StudyOption) -> Any:
    """Return the type of a study option's flag; --model is a list, so that `one_model` can refuse a repeated one."""
    return list[str] if option.name == "model" else TYPES.get(option.kind, str)


class StudyFlags:
    """The options of a study as flags; each overrides its key in a study file."""

    __signature__ = inspect.Signature(
        [
            inspect.Parameter(
                option.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[_type(option) | None, _flag(option.name)],
            )
            for option in OPTIONS
        ]
    )

    def __init__(self, **flags: Any) -> None:
        self.flags = flags

    def keywords(self) -> dict[str, Any]:
        """Return the flags that were given as keyword arguments of `api.create_study`."""
        keywords = {name: value for name, value in self.flags.items() if value is not None}
        shorthand = {name: str(keywords.pop(name)) for name in ("image_size", "channels") if name in keywords}
        options = pairs("--option", keywords.pop("dataset_options", None)) | shorthand
        target = {"target": keywords.pop("target")} if keywords.get("target") else {}
        settings = pairs("--set", keywords.pop("settings", None)) | target
        keywords |= {"dataset_options": options, "settings": settings}
        keywords["model"] = one_model(keywords.get("model"))
        keywords["ratios"] = shares(keywords.get("ratios"))
        keywords["timeout"] = duration("--timeout", keywords.get("timeout"))
        return {name: value for name, value in keywords.items() if value not in (None, {}, [])}


def one_model(names: Sequence[str] | None) -> str | None:
    """Return the value of --model. Raise UsageError if it is given more than once."""
    if names and len(names) > 1:
        raise UsageError(
            f"--model is given {len(names)} times: {', '.join(names)}",
            f"one study over all: --model {','.join(names)} --one-study; a study each: a command for each, "
            "or a study file with model = [...]",
        )
    return names[0] if names else None


def shares(text: str | None) -> tuple[float, float, float] | None:
    """Return the shares of train, valid and test in `60/20/20`, `0.6/0.2/0.2` or `48:6:6`, which sum to 1 in the end.

    Raises:
        UsageError: there are not three shares, or one is negative or no number.
    """
    if text is None:
        return None
    try:
        train, valid, test = (float(part) for part in re.split(r"[/:,]", text))
    except ValueError:
        train = valid = test = math.nan
    whole = train + valid + test
    if not (min(train, valid, test) >= 0 < whole < math.inf):
        raise UsageError(f"--ratios {text} are not shares", "give those of train, valid and test, such as 60/20/20")
    return train / whole, valid / whole, test / whole


@dataclass(frozen=True)
class RunFlags:
    """Where and how trials run."""

    slots: Annotated[
        int | None, typer.Option("--slots", metavar="N", help="Trials at once; default one per GPU, else one per core.")
    ] = None
    slots_per_gpu: Annotated[
        str | None,
        typer.Option(
            "--slots-per-gpu",
            metavar="N|auto",
            rich_help_panel=RUN,
            help="Trials at once on each GPU; auto: what fits.",
        ),
    ] = None
    only_slots: Annotated[
        str | None,
        typer.Option(
            "--only-slots",
            metavar="0,1,...",
            rich_help_panel=RUN,
            help="Use only these slots, numbered from 0.",
        ),
    ] = None
    threads_per_slot: Annotated[
        int | None,
        typer.Option(
            "--threads-per-slot",
            metavar="N",
            rich_help_panel=RUN,
            help="CPU threads of each trial; default an equal share of the cores.",
        ),
    ] = None
    exclusive_timing: Annotated[
        bool,
        typer.Option(
            "--exclusive-timing",
            rich_help_panel=END,
            help="After the search, time each trial of the front again, alone.",
        ),
    ] = False
    in_process: Annotated[
        bool,
        typer.Option(
            "--in-process",
            rich_help_panel=RUN,
            help="Run one trial without forking, for a debugger.",
        ),
    ] = False
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="local|ray",
            rich_help_panel=RUN,
            help="local: this machine; ray: a cluster, by Ray Tune.",
        ),
    ] = "local"
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address",
            metavar="auto|HOST:PORT|local",
            rich_help_panel=RUN,
            help="The cluster; local starts one here.",
        ),
    ] = None
    artifacts: Annotated[
        str | None,
        typer.Option(
            "--artifacts",
            metavar="URL",
            rich_help_panel=RUN,
            help="Where checkpoints and states go, a folder or s3://...; default FERSEARCH_ARTIFACTS, else the home.",
        ),
    ] = None
    hung_after: Annotated[
        str | None,
        typer.Option(
            "--hung-after",
            metavar="DURATION",
            rich_help_panel=RUN,
            help="Kill and retry a trial without a heartbeat for this long; default 10m, 0 never.",
        ),
    ] = None
    grace: Annotated[
        str | None,
        typer.Option(
            "--grace",
            metavar="DURATION",
            rich_help_panel=RUN,
            help="How long trials may take to save after SIGTERM; default 30s.",
        ),
    ] = None
    observe: Annotated[
        list[str] | None,
        typer.Option(
            "--observe",
            metavar="NAME[:OPTION=VALUE,...]",
            rich_help_panel=RUN,
            help="Report the run to an observer, such as tensorboard; repeatable; default FERSEARCH_OBSERVE.",
            autocompletion=completion.observers,
        ),
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", hidden=True, help="Whether to continue a paused study.")
    ] = True
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every epoch of every trial.")] = False

    def options(self, **more: Any) -> RunOptions:
        """Return the `RunOptions`, with `more` of their fields; durations only where they were given."""
        same = (
            "slots",
            "slots_per_gpu",
            "threads_per_slot",
            "exclusive_timing",
            "in_process",
            "engine",
            "ray_address",
            "resume",
        )
        times = {
            "hung_after": duration("--hung-after", self.hung_after, zero=True),
            "grace": duration("--grace", self.grace, zero=True),
        }
        options = {name: getattr(self, name) for name in (*same, "artifacts")}
        if self.only_slots is not None:
            options["only_slots"] = numbers("--only-slots", self.only_slots)
        if self.observe:
            options["observe"] = tuple(self.observe)
        options |= {name: seconds for name, seconds in times.items() if seconds is not None}
        return RunOptions(**options, **more)


def _trusting(trusted: bool) -> bool:
    if trusted:
        trust.ask = lambda question: True  # noqa: ARG005
    return trusted


TrustStored = Annotated[
    bool,
    typer.Option(
        "--trust-plugin", callback=_trusting, help="Allow the study's plugin code to run here, now and later."
    ),
]


def pairs(flag: str, texts: Sequence[str] | None) -> dict[str, str]:
    """Parse NAME=VALUE texts. Raise UsageError for a missing or repeated name."""
    values: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = (part.strip() for part in text.partition("="))
        owner, dot, last = name.rpartition(".")
        name = f"{owner}{dot}{last.replace('-', '_')}"
        if not name or not equals or not value:
            raise UsageError(f"{flag} '{text}' is not NAME=VALUE", f"write {flag} NAME=VALUE, without blanks around =")
        if name in values:
            raise UsageError(f"{flag} gives '{name}' twice", f"give it once; several values go as {name}=a,b,c")
        values[name] = value
    return values


def numbers(flag: str, text: str) -> tuple[int, ...]:
    """Parse comma-separated whole numbers of 0 or more. Raise UsageError for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise UsageError(f"{flag} '{text}' is not a list of numbers", f"write {flag} 0,1,2")
    return tuple(map(int, parts))


def duration(flag: str, text: str | None, *, zero: bool = False) -> float | None:
    """Parse a duration into seconds; 0 is allowed only if `zero`. Raise UsageError for anything else."""
    try:
        return None if text is None else formatting.seconds(text, zero=zero)
    except ValueError as error:
        problem, _, advice = str(error).partition("; ")
        raise UsageError(f"{flag}: {problem}", advice) from None

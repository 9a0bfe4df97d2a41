"""Build commands: help in groups, errors for repeated flags, dataclasses of flags."""

import functools
import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_type_hints

import typer
import typer.core

from fersearch.errors import UsageError

TYPE = re.compile(r" <(?:list\[)?([\w ]+)\]?>$")
PLACEHOLDERS = {"int": "N", "int range": "N", "float": "NUMBER", "float range": "NUMBER", "path": "PATH"}
"""Placeholder of a value in the help by its type, for options without a metavar."""
C = TypeVar("C", bound=Callable[..., Any])


class Command(typer.core.TyperCommand):
    """A command that lists options under headings and refuses a single-valued flag given twice."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse a command line. Raise UsageError for a single-valued flag that is given more than once."""
        _, _, parameters = self.make_parser(ctx).parse_args(args=list(args))
        options: list[Any] = [one for one in parameters if one.param_type_name == "option"]
        single = [one for one in options if not one.multiple and not one.is_flag]
        for option, times in Counter(single).items():
            if times > 1:
                raise UsageError(f"{option.opts[0]} is given {times} times", "give it once")
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options, starting with those without a heading."""
        sections: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and param.param_type_name == "argument":
                sections["Arguments"].append((TYPE.sub("", record[0]), record[1]))
            elif record is not None:
                name = TYPE.sub(lambda match: f" {PLACEHOLDERS.get(match[1].lower(), 'TEXT')}", record[0])
                sections[getattr(param, "rich_help_panel", None) or "Options"].append((name, record[1]))
        for heading in sorted(sections, key=("Arguments", "Options", *sections).index):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002
        """Return the first paragraph of the help untruncated: a list of commands wraps it."""
        return " ".join(inspect.cleandoc(self.help or "").partition("\n\n")[0].split())


class Group(typer.core.TyperGroup):
    """A group that lists its commands in the order of use, each with its untruncated summary."""

    order: tuple[str, ...] = ()

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands; those in `order` come first."""
        names = super().list_commands(ctx)
        return sorted(names, key=[*self.order, *names].index)

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002
        """Return the help untruncated."""
        return self.help or ""


def build(app: typer.Typer) -> None:
    """Make `Command` the class of all commands of an app."""
    for command in app.registered_commands:
        command.cls = Command


def examples(*lines: str) -> str:
    """Return example command lines as the epilog of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def flat(command: C) -> C:
    """Replace a command's dataclass parameters by flags: each field becomes a flag of its own.

    So does each parameter in the `__signature__` of a class that has one.
    """
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    records: dict[str, Any] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if is_dataclass(hints[name]) or hasattr(hints[name], "__signature__"):
            records[name] = hints[name]
            parameters += inspect.signature(hints[name]).parameters.values()
        else:
            parameters.append(parameter)

    @functools.wraps(command)
    def spread(**arguments: Any) -> Any:
        for name, record in records.items():
            arguments[name] = record(**{field: arguments.pop(field) for field in inspect.signature(record).parameters})
        return command(**arguments)

    keyword_only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    spread.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    spread.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return spread  # type: ignore[return-value]

import re
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer

from fersearch import cli
from fersearch.cli import command as building
from fersearch.cli import flags
from fersearch.errors import UsageError
from fersearch.run_options import RunOptions


def test_name_value_pairs_keep_commas_ranges_and_further_equals_signs():
    texts = ["optimizer=sgd,adam", "learning-rate = 0.001..0.1", "note=a=b"]
    assert flags.pairs("--set", texts) == {"optimizer": "sgd,adam", "learning_rate": "0.001..0.1", "note": "a=b"}
    assert flags.pairs("--set", ["a-net.first-conv=sum"]) == {"a-net.first_conv": "sum"}
    assert flags.pairs("--set", None) == {}


@pytest.mark.parametrize("text", ["dropout", "=3", "dropout=", ""])
def test_what_is_no_pair_is_refused_with_its_flag(text):
    with pytest.raises(UsageError, match=f"--set '{text}' is not NAME=VALUE"):
        flags.pairs("--set", [text])


def test_a_repeated_name_is_refused():
    with pytest.raises(
        UsageError, match="--set gives 'dropout' twice\n  give it once; several values go as dropout=a,b"
    ):
        flags.pairs("--set", ["dropout=0.1", "dropout=0.2"])


@pytest.mark.parametrize("text", ["60/20/20", "0.6,0.2,0.2", "48:16:16"])
def test_ratios_are_shares_of_their_sum(text):
    assert flags.shares(text) == pytest.approx((0.6, 0.2, 0.2))
    assert flags.shares(None) is None


@pytest.mark.parametrize("text", ["60/40", "a/b/c", "0/0/0", "-1/1/1", "inf/1/1", "nan/1/1"])
def test_what_are_no_shares_is_refused(text):
    with pytest.raises(UsageError, match=f"--ratios {text} are not shares\n  give those of train, valid and test"):
        flags.shares(text)


def test_a_duration_that_is_none_names_its_flag():
    with pytest.raises(UsageError, match="--timeout: '3x' is not a duration\n  write 90, 90s, 55m or 2h"):
        flags.duration("--timeout", "3x")
    assert flags.duration("--timeout", "2m") == 120
    assert flags.duration("--timeout", None) is None


def test_a_wait_for_trials_may_be_none_at_all():
    assert flags.RunFlags().options() == RunOptions()
    observe = ["tensorboard", "mlflow:uri=sqlite:///a.db"]
    assert flags.RunFlags(observe=observe).options() == RunOptions(observe=tuple(observe))
    assert flags.RunFlags(hung_after="0", grace="2m").options() == RunOptions(hung_after=0.0, grace=120.0)
    with pytest.raises(UsageError, match="--grace: 'soon' is not a duration\n  write 90, 90s, 55m or 2h"):
        flags.RunFlags(grace="soon").options()


def test_only_used_flags_become_keywords():
    assert flags.StudyFlags().keywords() == {}
    parsed = flags.StudyFlags(
        model=["cnn"],
        one_study=True,
        channels=3,
        dataset_options=["train=50"],
        target="votes",
        settings=["epochs=3"],
        seed=0,
    )
    assert parsed.keywords() == {
        "model": "cnn",
        "one_study": True,
        "dataset_options": {"train": "50", "channels": "3"},
        "settings": {"epochs": "3", "target": "votes"},
        "seed": 0,
    }


def test_a_repeated_model_is_refused_with_the_two_possible_meanings():
    with pytest.raises(UsageError) as caught:
        flags.StudyFlags(model=["cnn", "vgg16"]).keywords()
    assert str(caught.value) == (
        "--model is given 2 times: cnn, vgg16\n"
        "  one study over all: --model cnn,vgg16 --one-study; a study each: a command for each, "
        "or a study file with model = [...]"
    )


def test_a_record_of_flags_becomes_one_flag_per_field():
    @dataclass(frozen=True)
    class Size:
        wide: Annotated[int, typer.Option("--wide")] = 1
        high: Annotated[int, typer.Option("--high")] = 2

    seen = []

    @building.flat
    def command(name: str, *, size: Size, loud: bool = False) -> None:
        seen.append((name, size, loud))

    app = typer.Typer()
    app.command()(command)
    app(["box", "--high", "5", "--loud"], standalone_mode=False)
    assert seen == [("box", Size(1, 5), True)]


@pytest.mark.parametrize("line", ["study compare", "study create", "trial rerun", "predict", "evaluate", "plugin show"])
def test_help_names_values_and_not_the_types_of_python(line, capsys):
    assert cli.run([*line.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert not [line for line in shown.splitlines() if re.search(r"<(list|str|int|path)", line)]


def test_help_has_the_options_that_most_need_first_and_the_nouns_before_the_verbs(capsys):
    assert cli.run(["--help"]) == 0
    commands = capsys.readouterr().out.partition("Commands:\n")[2]
    names = [line.split()[0] for line in commands.splitlines() if re.match(r"  \w", line)]
    assert names[:7] == ["study", "trial", "checkpoint", "dataset", "plugin", "predict", "evaluate"]
    assert "..." not in commands
    assert cli.run(["study", "create", "--help"]) == 0
    out = capsys.readouterr().out
    first, rest = out.partition("\nData:\n")[::2]
    flags = ("--model", "--dataset", "--data", "--name", "--objective", "--trials", "--timeout", "--epochs", "--set")
    assert all(flag in first for flag in (*flags, "--slots"))
    assert "--sampler" in rest
    assert "Examples:\n    fersearch study create --model cnn" in rest

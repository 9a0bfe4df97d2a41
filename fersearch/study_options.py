"""The options of a study, each described once: its flag, its key in a study file, its checks, its documentation."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "text", "texts", "integer", "choice", "setting", "settings", "duration", "shares", "path", "paths", "switch"
]

DATA = "Data"
SPLIT = "How trials are evaluated"
SEARCH = "How it searches"
END = "At the end"
GREATEST = 2**63 - 1
"""The largest seed or count: a signed 64-bit number, as random generators and databases hold."""


@dataclass(frozen=True)
class StudyOption:
    """One option of a study.

    `name` is its keyword in Python, and its flag and key where these have no name of their own. A study file has it
    under `key`, prefixed with `TABLE.` if it is in a table; `in_file` says whether a study file can have it.
    `least` bounds whole numbers. `default` is its default, as text. `help` is one line for the
    command line, `meaning` a longer text for the table in studies/README.md. `group` is its heading in the help;
    options that most studies need have none.
    """

    name: str
    kind: Kind
    help: str
    default: str = ""
    meaning: str = ""
    choices: tuple[str, ...] = ()
    least: int | None = None
    group: str = ""
    metavar: str = ""
    flag: str = ""
    short: str = ""
    key: str = ""
    in_file: bool = True

    @property
    def flags(self) -> tuple[str, ...]:
        """Its flags on the command line."""
        long = self.flag or f"--{self.name.replace('_', '-')}"
        return (long, self.short) if self.short else (long,)

    @property
    def place(self) -> tuple[str, str]:
        """The table of a study file that it stands in, empty for none, and its key there."""
        table, _, key = (self.key or self.name).rpartition(".")
        return table, key


OPTIONS = (
    StudyOption(
        "model",
        "text",
        "Architecture, as `plugin list` names it; several as a,b with --one-study.",
        meaning="an architecture, as `fersearch plugin list` names it, or a list of them",
        short="-m",
    ),
    StudyOption(
        "one_study",
        "switch",
        "Search over several architectures in one study: --model a,b --one-study.",
        "false",
        "`true`: one study over all architectures of `model`, whose own parameters are called `ARCHITECTURE.NAME`; "
        "else a study each",
    ),
    StudyOption(
        "dataset",
        "text",
        "Dataset, as `dataset list` names it.",
        meaning="a dataset, a list of them, a `[dataset]` section or several `[[dataset]]`",
        short="-d",
    ),
    StudyOption(
        "data",
        "path",
        "Folder or file of the dataset.",
        metavar="PATH",
        meaning="its folder or file; `imagefolder`, `manifest` and `merged` need one",
        default="where it was last found",
    ),
    StudyOption(
        "name",
        "text",
        "The study's name; default MODEL-DATASET.",
        meaning="the study's name",
        default="`MODEL-DATASET`",
    ),
    StudyOption(
        "objectives",
        "texts",
        "Metric to optimise; repeatable, the first ranks checkpoints.",
        flag="--objective",
        metavar="METRIC[:max|min]",
        meaning='metrics, best first; `"log_loss:min"` sets a direction',
        default="`f1_macro`, `cpu_seconds` (on a GPU `train_seconds`), `peak_memory_mb`",
    ),
    StudyOption("trials", "integer", "End after this many trials.", "20", "end after this many trials", least=1),
    StudyOption(
        "timeout",
        "duration",
        "End after 90, 90s, 55m or 2h of running.",
        "none",
        'end after this much running time: `90`, `"90s"`, `"55m"`, `"2h"`',
        least=1,
        metavar="DURATION",
    ),
    StudyOption(
        "epochs",
        "setting",
        "Epochs of a trial: N, or LOW..HIGH to search it.",
        "12",
        'of each trial: a number, or a list or `"10..30"` to search it',
        metavar="N|LOW..HIGH",
    ),
    StudyOption(
        "settings",
        "settings",
        "Narrow a parameter: VALUE, LOW..HIGH or a,b,c; repeatable.",
        flag="--set",
        metavar="NAME=...",
        key="space",
    ),
    StudyOption(
        "limit",
        "integer",
        "Use only this many images of train and valid, a stratified subset.",
        "all",
        "use only this many images of train and valid, with the classes' shares kept (`loso`: whole subjects)",
        least=10,
        group=DATA,
    ),
    StudyOption(
        "dataset_options",
        "settings",
        "An option of the dataset; repeatable.",
        flag="--option",
        metavar="NAME=VALUE",
        key="dataset.options",
        group=DATA,
    ),
    StudyOption("image_size", "integer", "Image side in pixels.", metavar="PIXELS", group=DATA, in_file=False),
    StudyOption("channels", "integer", "1 grey, 3 colour.", metavar="1|3", group=DATA, in_file=False),
    StudyOption(
        "target",
        "text",
        "Training target, as `dataset show` lists them.",
        metavar="NAME",
        group=DATA,
        in_file=False,
    ),
    StudyOption(
        "split",
        "choice",
        "How images become train, valid and test; default auto.",
        "`auto`",
        "`auto`: the dataset's own split where it has one; `official`: refuse one without; `ratios`: all drawn anew; "
        "`kfold`; `loso`: leave one subject out",
        ("auto", "official", "ratios", "kfold", "loso"),
        key="protocol.split",
        group=SPLIT,
    ),
    StudyOption(
        "by",
        "choice",
        "How rows are assigned when a split is drawn: class (stratified), subject (grouped), chance; or auto.",
        "`auto`",
        "how a split is drawn: by `subject` (or refused), `class`, `chance`; `auto`: by subject if known, else class",
        ("auto", "chance", "class", "subject"),
        key="protocol.by",
        group=SPLIT,
    ),
    StudyOption(
        "folds",
        "integer",
        "Train on this many folds; implies --split kfold.",
        "5",
        "number of folds for `kfold`; each validates once",
        least=2,
        key="protocol.folds",
        group=SPLIT,
    ),
    StudyOption(
        "repeats",
        "integer",
        "Train each trial N times with different seeds.",
        "1",
        "train each trial this many times with different seeds; means and standard deviations are recorded",
        least=1,
        key="protocol.repeats",
        group=SPLIT,
    ),
    StudyOption(
        "ratios",
        "shares",
        "Shares of train, valid and test; implies --split ratios.",
        "0.7, 0.15, 0.15",
        "shares of train, valid and test; the last is what `kfold` and `loso` hold out",
        metavar="60/20/20",
        key="protocol.ratios",
        group=SPLIT,
    ),
    StudyOption(
        "split_seed",
        "integer",
        "Seed of the split.",
        "42",
        "seed of the split",
        least=0,
        key="protocol.split_seed",
        group=SPLIT,
    ),
    StudyOption(
        "duplicates",
        "choice",
        "Whether train keeps duplicates of valid and test images; default keep.",
        "`keep`",
        "`drop` removes images from train that are equal in every pixel to one of valid or test, and from valid "
        "those equal to one of test; `near` also removes near-duplicates: compressed, resized or mirrored",
        ("keep", "drop", "near"),
        key="protocol.duplicates",
        group=SPLIT,
    ),
    StudyOption(
        "seed",
        "integer",
        "Seed of all random numbers but the split's.",
        "0",
        "seed of all random numbers but the split's",
        least=0,
        group=SEARCH,
    ),
    StudyOption(
        "sampler",
        "choice",
        "How configurations are chosen; default tpe.",
        "`tpe`",
        "`tpe`, `nsga2`, `random`, `gp`, `qmc`, or, if the space is finite, `grid` or `ofat`",
        ("tpe", "nsga2", "random", "grid", "ofat", "gp", "qmc"),
        group=SEARCH,
    ),
    StudyOption(
        "pruner",
        "choice",
        "How weak trials are found and stopped; default pareto.",
        "`pareto`",
        "`pareto` or `none`",
        ("pareto", "none"),
        group=SEARCH,
    ),
    StudyOption(
        "recipes",
        "choice",
        "Whether known good configurations are tried first; default auto: up to 4 slots.",
        "`auto`",
        "whether known good configurations are tried first, for a quarter of the trials at most: `known`, `none`, or "
        "`auto`: with "
        "`tpe` and `nsga2`, where up to four trials run at once",
        ("auto", "known", "none"),
        group=SEARCH,
    ),
    StudyOption(
        "weights",
        "text",
        "Start from a named source or a file.",
        "from scratch",
        "start from a named source of the architecture, or from a file",
        metavar="SOURCE|FILE",
        group=SEARCH,
    ),
    StudyOption(
        "precision",
        "choice",
        "Number format of training; default auto: bf16 on CUDA.",
        "`auto`",
        "`float32`, `bf16`, or `auto`: `bf16` on CUDA, `float32` on a CPU, since few CPUs are fast in `bf16`",
        ("auto", "float32", "bf16"),
        group=SEARCH,
    ),
    StudyOption(
        "memory_format",
        "choice",
        "How images and weights lie in memory; default auto: the faster one.",
        "`auto`",
        "how images and weights lie in memory: `contiguous`, `channels_last`, or `auto`: `channels_last` where that is "
        "at least 3 % faster, measured over a few steps for each kind of network and device",
        ("auto", "contiguous", "channels_last"),
        group=SEARCH,
    ),
    StudyOption(
        "latency_on",
        "choice",
        "What latency_ms measures; default torch.",
        "`torch`",
        "what `latency_ms` measures: `torch`, the model on its device, or `onnx`, the exported model on one CPU "
        "thread; measured while the other trials pause, if it is an objective or bounded",
        ("torch", "onnx"),
        group=SEARCH,
    ),
    StudyOption(
        "where",
        "texts",
        "Bound a metric, as gflops<=0.1; repeatable.",
        "none",
        'bounds on metrics, `"gflops<=0.1"`; a trial that breaks one is infeasible; if that is known in '
        "advance, it is neither trained nor counted by `trials`",
        metavar="METRIC<=NUMBER",
        group=SEARCH,
    ),
    StudyOption(
        "from_study",
        "text",
        "Start from another study: its front is tried first, its trials inform the sampler.",
        "none",
        "a study of this database to start from: its front is tried first, and `tpe` and `gp` learn from those of "
        "its trials that are in the new space; they do not count as trials of this study",
        flag="--from",
        key="from",
        metavar="STUDY",
        group=SEARCH,
    ),
    StudyOption(
        "stop_when_flat",
        "integer",
        "End once the front's hypervolume has not grown for N complete trials.",
        "never",
        "end once the front's hypervolume has grown by no more than a thousandth over this many complete trials",
        least=1,
        group=SEARCH,
    ),
    StudyOption(
        "refit",
        "integer",
        "After the search, retrain the best configuration N times.",
        "0",
        "after the search, retrain the best configuration this many times, without folds, as study `refit/NAME`",
        least=0,
        group=END,
    ),
    StudyOption(
        "unseen",
        "texts",
        "After the search, evaluate the best model on this dataset; repeatable.",
        "none",
        'datasets to evaluate the best model on after the search, `NAME` or `"NAME=PATH"`; unavailable ones are noted',
        metavar="NAME[=PATH]",
        group=END,
    ),
    StudyOption(
        "keep",
        "text",
        "Which checkpoints to keep; default those of the front.",
        "`front`",
        'which checkpoints to keep: `front`, `all` (for an ensemble to choose from), or `"best 5"`',
        metavar="front|all|best:N",
        group=END,
    ),
    StudyOption(
        "plugins",
        "paths",
        "Also use this plugin file; repeatable.",
        "none",
        "plugin files to use besides the installed ones",
        flag="--plugin",
        metavar="FILE",
        group=SEARCH,
    ),
)
BY_NAME = {option.name: option for option in OPTIONS}


def in_table(table: str) -> list[StudyOption]:
    """Return the options of a table of a study file; `""` for those above the first table."""
    return [option for option in OPTIONS if option.in_file and option.place[0] == table]


def documentation(table: str) -> str:
    """Return the rows that studies/README.md has for a table of a study file."""
    rows = ["| key | meaning | default |", "|---|---|---|"]
    rows += [f"| `{one.place[1]}` | {one.meaning} | {one.default} |" for one in in_table(table) if one.meaning]
    return "\n".join(rows).replace("|  |", "| |")

"""Ensembles: members chosen greedily on validation from the kept checkpoints of studies, and put into one folder."""

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.blame import score
from fersearch.checkpoint_folder import refuse_existing, whole_folder, write_plugins
from fersearch.components import Evaluation
from fersearch.context import open_store
from fersearch.data.arrays import Loaded
from fersearch.ensembles import candidates as pool
from fersearch.ensembles.candidates import Candidate
from fersearch.errors import UsageError, lookup
from fersearch.formatting import finite
from fersearch.registry import Registry
from fersearch.store import Store, StudyRow
from fersearch.study import Constraint, Objective, StudySpec
from fersearch.training.card import ENSEMBLE, FORMAT, SINCE_TWO, read_card

if TYPE_CHECKING:
    from fersearch.ensembles.selection import Chosen

FOLDS = 5
FEWEST = 2 * FOLDS  # validation images


@dataclass(frozen=True)
class Member:
    """A checkpoint of an ensemble, its weight, and its file in the folder."""

    study: str
    trial: int
    digest: str
    weight: float
    file: str


@dataclass(frozen=True)
class Added:
    """A step of the selection: the model added, and the value on validation of all so far; `kept` up to the best."""

    study: str
    trial: int
    value: float
    kept: bool


@dataclass(frozen=True)
class Ensemble:
    """What was made: members, steps, and values of `objective.metric`.

    `value` is the ensemble's value on the `n` validation images on which it was chosen and fitted, `single` that
    of the best model alone. `fair` is the ensemble's value by cross-validation: each fifth of validation is
    evaluated with the ensemble that the other four fifths choose and fit; `fair_single` is that of the best model
    chosen in the same way.
    `costs` are those of all members together, by measured metric.
    """

    path: Path
    method: str
    digest: str
    objective: Objective
    members: tuple[Member, ...]
    steps: tuple[Added, ...]
    n: int
    value: float
    single: float
    fair: float
    fair_single: float
    costs: Mapping[str, float]


def make_ensemble(
    studies: Sequence[str],
    out: Path,
    *,
    method: str = "mean",
    size: int = 10,
    metric: str | None = None,
    where: Sequence[str] = (),
    force: bool = False,
    storage: str | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Ensemble:
    """Choose an ensemble on validation from the complete trials of studies, and write it into a folder.

    Members are chosen by greedy forward selection with replacement (Caruana et al. 2004), up to
    the step with the best value. The folder is used like that of a pulled checkpoint.

    Args:
        method: `mean` of the class shares and majority `vote` (a model chosen twice counts twice);
            `weighted`, the mean with weights fitted to the log loss; `stacking`, a logistic regression.
        size: the steps of the selection.
        metric: the metric on validation; default the first study's first objective that reads predictions.
        where: constraints on the ensemble as a whole, such as `parameters<=1e6`.
        force: replace an existing ensemble or pulled checkpoint.
        note: called with messages about the progress.

    Raises:
        UsageError: the studies cannot be combined, nothing satisfies the constraints, or the folder exists.
        FersearchError: a stored checkpoint is missing or broken.
    """
    from fersearch.ensembles.combination import METHODS
    from fersearch.ensembles.selection import Chooser

    lookup("method", method, dict.fromkeys(METHODS))
    if size < 1:
        raise UsageError(f"size {size} leaves no member", "give 1 or more")
    refuse_existing(out, force)
    with open_store(storage) as store:
        ground = _Ground.of(store, [store.study(name) for name in dict.fromkeys(studies)], metric, where)
    answers = pool.answers_of(ground.candidates, ground.registry, ground.loaded, note)
    chooser = Chooser(method, size, ground.loss, ground.affordable)
    note(f"choosing from {len(answers)}")
    chosen = chooser.choose(answers, ground.labels)
    shares = chosen.shares(answers)
    ground.require_good(shares)
    note(f"evaluating the choice by {FOLDS} folds of validation")
    fair, fair_single = chooser.judged_apart(answers, ground.labels, FOLDS)
    single = answers[chosen.steps[0].candidate]
    values = [ground.value(each, ground.labels) for each in (shares, single, fair, fair_single)]
    result = _record(ground, chosen, out, values)
    with whole_folder(out, force) as folder:
        _fill(folder, result, ground, chosen)
    return result


@dataclass(frozen=True)
class _Ground:
    """The candidates of an ensemble, their data, and the objective and bounds of the choice."""

    candidates: Sequence[Candidate]
    registry: Registry
    loaded: Loaded
    objective: Objective
    bounds: Sequence[Constraint]

    @classmethod
    def of(cls, store: Store, studies: Sequence[StudyRow], metric: str | None, where: Sequence[str]) -> "_Ground":
        """Load the candidates that keep the bounds on their own, and their validation data; UsageError if there are
        none."""
        candidates = pool.gather(store, studies)
        registry = pool.registry_of(studies)
        objective = _objective(metric, studies[0].spec, registry)
        bounds = [Constraint.parse(text) for text in where]
        spent = {bound: registry.metric(bound.metric).measured for bound in bounds}
        candidates = [each for each in candidates if all(b.holds(each.trial.values) for b in bounds if spent[b])]
        if not candidates:
            raise UsageError(f"no single trial satisfies {', '.join(map(str, bounds))}", "loosen --where")
        pool.check_alike(candidates, registry)
        loaded = pool.load_valid(candidates, registry)
        if len(loaded.indices["valid"]) < FEWEST:
            raise UsageError(
                f"fewer than {FEWEST} validation images are too few to choose an ensemble", "give the study more"
            )
        return cls(candidates, registry, loaded, objective, bounds)

    @property
    def labels(self) -> Any:
        """The class index (int64, n) of each validation image."""
        return self.loaded.hard[self.loaded.indices["valid"]]

    def value(self, shares: Any, labels: Any, metric: str | None = None) -> float:
        """Return a metric, by default the objective's, of class shares (n x classes)."""
        chosen_metric = self.registry.metric(metric or self.objective.metric)
        return score(chosen_metric, Evaluation(shares, labels, self.loaded.task.class_names))

    def loss(self, shares: Any, labels: Any) -> float:
        """Return the objective as something to minimise; infinite where it is undefined."""
        loss = self.objective.loss(self.value(shares, labels))
        return loss if math.isfinite(loss) else math.inf

    def costs(self, members: Sequence[int]) -> dict[str, float]:
        """Return the joint costs of different candidates, by measured metric."""
        return pool.costs([self.candidates[index] for index in members], self.registry.metrics)

    def affordable(self, members: Sequence[int]) -> bool:
        """Return whether different candidates together keep the bounds on what is measured."""
        spent = self.costs(members) if self.bounds else {}
        return all(bound.holds(spent) for bound in self.bounds if self.registry.metric(bound.metric).measured)

    def require_good(self, shares: Any) -> None:
        """Raise UsageError unless the bounds on predictions hold on validation."""
        for bound in self.bounds:
            if not self.registry.metric(bound.metric).measured:
                value = self.value(shares, self.labels, bound.metric)
                if not bound.holds({bound.metric: value}):
                    raise UsageError(f"the best ensemble has {bound.metric} {value:.4g}, not {bound}", "loosen --where")


def _objective(name: str | None, spec: StudySpec, registry: Registry) -> Objective:
    if name is not None:
        metric = registry.metric(name)
        if metric.measured:
            raise UsageError(f"{name} is not a metric of predictions", "bound it instead: --where '" + name + "<=...'")
        own = next((objective for objective in spec.objectives if objective.metric == name), None)
        return own or Objective(name, "min" if metric.direction == "min" else "max")
    own = next((each for each in spec.objectives if not registry.metric(each.metric).measured), None)
    if own is None:
        raise UsageError(f"study '{spec.name}' has no objective that reads predictions", "name one: --metric accuracy")
    return own


def _record(ground: _Ground, chosen: "Chosen", path: Path, values: Sequence[float]) -> Ensemble:
    from fersearch.ensembles.model import digest_of

    combination, objective = chosen.combination, ground.objective
    members = []
    for place, (index, weight) in enumerate(zip(chosen.members, combination.weights, strict=True), 1):
        one = ground.candidates[index]
        file = f"{place}-{one.study.name.replace('/', '-')}-{one.trial.number}.safetensors"
        members.append(Member(one.study.name, one.trial.number, one.digest, weight, file))
    steps = []
    for place, step in enumerate(chosen.steps):
        one = ground.candidates[step.candidate]
        value = objective.loss(step.loss)  # its own inverse
        steps.append(Added(one.study.name, one.trial.number, value, place < chosen.length))
    value, single, fair, fair_single = values
    return Ensemble(
        path=path,
        method=combination.method,
        digest=digest_of(combination, [member.digest for member in members]),
        objective=objective,
        members=tuple(members),
        steps=tuple(steps),
        n=len(ground.labels),
        value=value,
        single=single,
        fair=fair,
        fair_single=fair_single,
        costs=ground.costs(chosen.members),
    )


def _fill(folder: Path, result: Ensemble, ground: _Ground, chosen: "Chosen") -> None:
    """Write members, stacker, card and plugin files into a folder."""
    from fersearch.ensembles.model import write_stacker

    for index, member in zip(chosen.members, result.members, strict=True):
        shutil.copyfile(ground.candidates[index].file, folder / member.file)
    stacker = write_stacker(folder, chosen.combination)
    one = read_card(folder / result.members[0].file)
    plugins = pool.plugins_of([ground.candidates[index].study for index in chosen.members])
    card = finite(_card(result, one, [str(bound) for bound in ground.bounds]))
    card |= {"study_ids": list(dict.fromkeys(ground.candidates[index].study.uid for index in chosen.members))}
    card |= {"stacker": stacker, "plugins": [file.entry for file in plugins]}
    (folder / ENSEMBLE).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    write_plugins(folder, plugins)


def _card(result: Ensemble, member: Mapping[str, Any], bounds: Sequence[str]) -> dict[str, Any]:
    """Return the card of an ensemble: what its members share, from the card of one, and the choice with its values."""
    shared = ("class_names", "channels", "image_size", "dataset", "licence", "protocol", "versions", *SINCE_TWO)
    trust = ", trust_plugin=True" if member["plugins"] else ""
    return {
        "format": FORMAT,
        "method": result.method,
        "digest": result.digest,
        "members": [asdict(each) for each in result.members],
        "study": result.members[0].study,
        "studies": list(dict.fromkeys(each.study for each in result.members)),
        "params": {},
        **{name: member[name] for name in shared if name in member},
        "objective": str(result.objective),
        "where": list(bounds),
        "selection": [asdict(step) for step in result.steps],
        "validation": {"n": result.n, "ensemble": result.value, "best_single": result.single},
        "crossvalidated": {"folds": FOLDS, "ensemble": result.fair, "best_single": result.fair_single},
        "costs": dict(result.costs),
        "load": [
            "from fersearch import api",
            f"restored = api.load_checkpoint('{result.path.name}'{trust})",
            "probabilities = restored.probabilities(images)  # uint8 (n, channels, size, size) -> (n, classes)",
        ],
    }

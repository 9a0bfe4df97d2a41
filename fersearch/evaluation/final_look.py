"""The one look at test that ends a study: all seeds of its pick are evaluated on the same images."""

from collections.abc import Sequence
from pathlib import Path

from fersearch import formatting
from fersearch.artifacts import Artifacts
from fersearch.checkpoint_folder import open_checkpoint
from fersearch.components import Evaluation
from fersearch.context import components_of
from fersearch.errors import FersearchError
from fersearch.evaluation.finished import Finalist, Finish
from fersearch.evaluation.interval import interval
from fersearch.evaluation.pulling import require_checkpoint
from fersearch.evaluation.request import EvaluationRequest, open_input
from fersearch.home import artifacts_folder
from fersearch.registry import Registry
from fersearch.store import StudyRow
from fersearch.trial import Trial

USUAL = "f1_macro"


def look_at_test(
    study: StudyRow,
    owner: StudyRow,
    pick: int,
    trials: Sequence[tuple[int, Trial]],
    finalists: Sequence[Finalist],
    storage: str | None = None,
    artifacts: str | None = None,
) -> Finish:
    """Return the results of the pick on test; nothing is recorded.

    `trials` are the trials of study `owner` that retrained trial number `pick` of `study`, each with its seed.

    Raises:
        DataError: the data is missing, differs, or has no test split.
        FersearchError: a checkpoint is missing or broken.
    """
    registry = components_of(owner)
    answers = [_answer(owner, trial, registry, storage, artifacts) for _, trial in trials]
    predictive = {name: metric for name, metric in registry.metrics.items() if not metric.measured}
    chosen = _judged_by(study, registry)
    return Finish(
        study.name,
        study.spec.dataset,
        pick,
        chosen,
        tuple(seed for seed, _ in trials),
        {name: [metric.compute(answer) for answer in answers] for name, metric in predictive.items()},
        interval(registry.metric(chosen), answers, study.spec.seed),
        len(answers[0].labels),
        formatting.protocol(owner.spec.protocol),
        tuple(finalists),
        owner.name,
    )


def _answer(
    owner: StudyRow, trial: Trial, registry: Registry, storage: str | None, artifacts: str | None
) -> Evaluation:
    from fersearch.ensembles.model import answers  # here, for it brings in torch

    require_checkpoint(owner.name, trial)
    file: Path = Artifacts(artifacts_folder(artifacts)).open(trial.checkpoint or "")
    opened = open_input(file, EvaluationRequest(split="test", storage=storage), registry=registry)
    shares = answers(open_checkpoint(file, registry), opened.loaded.images, opened.rows, None)
    if not (shares == shares).all():
        raise FersearchError(f"trial {trial.number} of {owner.name} predicts probabilities that are not finite")
    return Evaluation(shares, opened.labels, opened.crossing.model)


def _judged_by(study: StudyRow, registry: Registry) -> str:
    """Return the first objective that reads predictions; without one the macro F1."""
    names = [objective.metric for objective in study.spec.objectives]
    return next((name for name in names if not registry.metric(name).measured), USUAL)

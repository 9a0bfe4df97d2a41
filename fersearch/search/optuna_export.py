"""Export of a study to an Optuna storage, for optuna-dashboard and other Optuna tools."""

from collections.abc import Iterable

import optuna

from fersearch.errors import NameTaken, StorageURLError
from fersearch.search.optuna_sampler import quiet, to_optuna
from fersearch.study import StudySpec
from fersearch.trial import Trial


def write_to_storage(
    spec: StudySpec, trials: Iterable[Trial], url: str, data_digest: str = "", *, force: bool = False
) -> int:
    """Write a study and its trials into the storage at an SQLAlchemy URL, which is created if missing.

    Returns:
        The number of trials written.

    Raises:
        StorageURLError: the storage cannot be opened.
        NameTaken: it has a study of that name, and `force` is not set.
    """
    with quiet():
        try:
            storage = optuna.storages.RDBStorage(url)
        except Exception as error:  # errors of SQLAlchemy, its drivers and Optuna
            reason = str(error).strip().splitlines()[0]
            raise StorageURLError(f"no Optuna storage at {url}: {reason}", "write it as sqlite:///FILE.db") from None
        source = to_optuna(spec, trials, data_digest)
        if spec.name in optuna.get_all_study_names(storage):
            if not force:
                raise NameTaken(f"{url} has a study '{spec.name}' already", "replace it with --force")
            optuna.delete_study(study_name=spec.name, storage=storage)
        study = optuna.create_study(storage=storage, study_name=spec.name, directions=source.directions)
        study.set_metric_names([objective.metric for objective in spec.objectives])
        study.add_trials(source.trials)
    return len(source.trials)

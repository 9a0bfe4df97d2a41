"""MLflow: an experiment for each study, and in it a run for each trial, on a tracking server or in a file."""

import math
import os
import time
from importlib.util import find_spec
from pathlib import Path

from fersearch import FersearchError, StudyObserver, UsageError, hookimpl
from fersearch.home import home

STATUS = {"waiting": "SCHEDULED", "running": "RUNNING", "failed": "FAILED"}
"""The status of a run in each state of its trial; else FINISHED."""
STUDY, TRIAL, STATE = "fersearch.study", "fersearch.trial", "fersearch.state"


class MLflow(StudyObserver):
    """Logs parameters, metrics by epoch and the values of the ended trial (as `trial/NAME`) by MLflow's client.

    A trial that is resumed continues in its run, which is found by its tags. MLflow sends telemetry to its makers by
    default; here it is off unless MLFLOW_DISABLE_TELEMETRY says `false`.
    """

    name = "mlflow"
    summary = "an MLflow run for each trial: parameters, metrics by epoch, values"
    options = {
        "uri": "the tracking server or database; default MLFLOW_TRACKING_URI, else mlflow.db in FERSEARCH_HOME",
        "experiment": "the experiment; default the study's name",
    }

    def check(self, options):
        if find_spec("mlflow") is None:
            raise FersearchError("observer 'mlflow' needs MLflow", "install it: pip install 'fersearch[mlflow]'")
        if (uri := tracking_uri(options)).startswith("sqlite:"):
            self._make_database(uri)

    def study_started(self, study, options):
        self.client, self.study = client(tracking_uri(options)), study
        name = options.get("experiment", study.name)
        known = self.client.get_experiment_by_name(name)
        self.experiment = known.experiment_id if known else self.client.create_experiment(name)
        self.runs = {}

    def trial_started(self, trial):
        run = self._run(trial)
        self.client.update_run(run, status="RUNNING")

    def epoch_ended(self, trial, epoch):
        self._log(self._run(trial), epoch.values, epoch.number)

    def trial_ended(self, trial):
        run = self._run(trial)
        self.client.set_tag(run, STATE, trial.state.value)
        if not trial.state.ended:
            self.client.update_run(run, status=STATUS[trial.state.value])
            return
        values = {f"trial/{name}": value for name, value in trial.values.items()}
        self._log(run, values, trial.kept_epoch or trial.epochs)
        self.client.set_terminated(run, STATUS.get(trial.state.value, "FINISHED"))
        del self.runs[trial.number]

    def _run(self, trial):
        """Return the id of a trial's run, which is created if needed."""
        if trial.number not in self.runs:
            self.runs[trial.number] = self._existing_run(trial) or self._new_run(trial)
        return self.runs[trial.number]

    def _existing_run(self, trial):
        query = f"tags.`{STUDY}` = '{self.study.uid}' and tags.`{TRIAL}` = '{trial.number}'"
        runs = self.client.search_runs([self.experiment], query, max_results=1)
        return runs[0].info.run_id if runs else None

    def _new_run(self, trial):
        from mlflow.entities import Param

        tags = {STUDY: self.study.uid, TRIAL: str(trial.number), STATE: "running"}
        name = f"{self.study.name}-trial-{trial.number}"
        run = self.client.create_run(self.experiment, tags=tags, run_name=name).info.run_id
        params = [Param(key, str(value)) for key, value in trial.params.items()]
        self.client.log_batch(run, params=params)
        return run

    def _log(self, run, values, step):
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        self.client.log_batch(run, metrics=[Metric(name, value, now, step) for name, value in finite.items()])

    @staticmethod
    def _make_database(uri):
        """Make the tables in the main thread: Alembic, which fersearch uses too, works in one thread at a time."""
        path = Path(uri.partition("///")[2])
        if not path.parent.is_dir():
            raise UsageError(
                f"observer 'mlflow': folder {path.parent} does not exist", "create it, or give another uri"
            )
        client(uri).search_experiments(max_results=1)


def client(uri):
    """Return MLflow's client of a tracking server or database."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def tracking_uri(options):
    """Return the URI of the tracking server or database."""
    default = f"sqlite:///{home() / 'mlflow.db'}"
    return options.get("uri") or os.environ.get("MLFLOW_TRACKING_URI") or default


@hookimpl
def register_observers(register):
    """Register `mlflow`."""
    register(MLflow())

"""The verbs of fersearch, as Python functions that return records and print nothing.

The command line, the service and a notebook call the same ones. Each is loaded when first used,
so that importing this module stays instant.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fersearch.api.bodies import check_run
    from fersearch.api.checkpoints import list_checkpoints, load_checkpoint, pull_checkpoint
    from fersearch.api.comparing import compare_studies, sweep_study
    from fersearch.api.context import trust_plugins
    from fersearch.api.creating import check_file, create_from_file, create_study
    from fersearch.api.datasets import (
        export_dataset,
        list_datasets,
        prepare_dataset,
        show_dataset,
        verify_dataset,
    )
    from fersearch.api.doctor import diagnose
    from fersearch.api.ensembles import make_ensemble
    from fersearch.api.evaluating import evaluate
    from fersearch.api.export import export_study, write_export
    from fersearch.api.garbage import collect_garbage
    from fersearch.api.plugins import check_plugin, list_plugins, new_plugin, show_plugin
    from fersearch.api.portraying import report_dataset
    from fersearch.api.predicting import predict
    from fersearch.api.reports import write_report
    from fersearch.api.reruns import rerun_trial
    from fersearch.api.running import run_study
    from fersearch.api.studies import (
        delete_study,
        front,
        list_studies,
        list_trials,
        matching_studies,
        show_study,
        show_trial,
        study_spec,
        to_optuna,
    )

_HOMES = {
    "check_file": "creating",
    "check_plugin": "plugins",
    "check_run": "bodies",
    "collect_garbage": "garbage",
    "compare_studies": "comparing",
    "create_from_file": "creating",
    "create_study": "creating",
    "delete_study": "studies",
    "diagnose": "doctor",
    "evaluate": "evaluating",
    "export_dataset": "datasets",
    "export_study": "export",
    "front": "studies",
    "list_checkpoints": "checkpoints",
    "list_datasets": "datasets",
    "list_plugins": "plugins",
    "list_studies": "studies",
    "list_trials": "studies",
    "load_checkpoint": "checkpoints",
    "matching_studies": "studies",
    "make_ensemble": "ensembles",
    "new_plugin": "plugins",
    "predict": "predicting",
    "prepare_dataset": "datasets",
    "pull_checkpoint": "checkpoints",
    "report_dataset": "portraying",
    "rerun_trial": "reruns",
    "run_study": "running",
    "show_dataset": "datasets",
    "show_plugin": "plugins",
    "show_study": "studies",
    "show_trial": "studies",
    "study_spec": "studies",
    "sweep_study": "comparing",
    "to_optuna": "studies",
    "trust_plugins": "context",
    "verify_dataset": "datasets",
    "write_export": "export",
    "write_report": "reports",
}

__all__ = [
    "check_file",
    "check_plugin",
    "check_run",
    "collect_garbage",
    "compare_studies",
    "create_from_file",
    "create_study",
    "delete_study",
    "diagnose",
    "evaluate",
    "export_dataset",
    "export_study",
    "front",
    "list_checkpoints",
    "list_datasets",
    "list_plugins",
    "list_studies",
    "list_trials",
    "load_checkpoint",
    "make_ensemble",
    "matching_studies",
    "new_plugin",
    "predict",
    "prepare_dataset",
    "pull_checkpoint",
    "report_dataset",
    "rerun_trial",
    "run_study",
    "show_dataset",
    "show_plugin",
    "show_study",
    "show_trial",
    "study_spec",
    "sweep_study",
    "to_optuna",
    "trust_plugins",
    "verify_dataset",
    "write_export",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fersearch.api' has no attribute '{name}'")
    return getattr(importlib.import_module(f"fersearch.api.{_HOMES[name]}"), name)

"""The verbs of fersearch, as Python functions that return records and print nothing.

The command line, the service and notebooks call the same functions. Each is loaded when first used,
so that importing this module stays instant.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fersearch.api.charts import chart_study, chart_trial
    from fersearch.api.checkpoint_export import export_checkpoint
    from fersearch.api.checkpoints import list_checkpoints, pull_checkpoint
    from fersearch.api.connecting import connect, disconnect, is_connected
    from fersearch.api.creating import (
        check_file,
        check_from_data,
        create_from_data,
        create_from_file,
        create_study,
        study_schema,
    )
    from fersearch.api.datasets import (
        export_dataset,
        list_datasets,
        prepare_dataset,
        show_dataset,
        verify_dataset,
    )
    from fersearch.api.enqueueing import enqueue_trial
    from fersearch.api.explaining import explain_trial
    from fersearch.api.extending import extend_study
    from fersearch.api.finishing import finish_study
    from fersearch.api.plugins import check_plugin, list_plugins, new_plugin, show_plugin
    from fersearch.api.queueing import (
        disk_by_owner,
        list_owners,
        list_queue,
        pause_study,
        place_in_queue,
        queue_study,
        set_owner,
    )
    from fersearch.api.reruns import rerun_trial
    from fersearch.api.run import run_study
    from fersearch.api.studies import (
        delete_study,
        export_to_optuna,
        front,
        importance,
        list_studies,
        list_trials,
        show_study,
        show_trial,
        stop_study,
        study_spec,
        to_optuna,
    )
    from fersearch.api.study_export import export_study, write_export
    from fersearch.api.tokens import list_tokens, new_token, revoke_token
    from fersearch.checkpoint_folder import load_checkpoint
    from fersearch.context import matching_studies, trust_plugins
    from fersearch.engines.backends import check_run
    from fersearch.ensembles.building import make_ensemble
    from fersearch.evaluation.evaluate import evaluate
    from fersearch.evaluation.predict import predict
    from fersearch.maintenance.doctor import diagnose
    from fersearch.maintenance.garbage import collect_garbage
    from fersearch.report.comparison.compare import compare_studies, sweep_study
    from fersearch.report.gathering import report_dataset, write_report

_HOMES = {
    "chart_study": "fersearch.api.charts",
    "chart_trial": "fersearch.api.charts",
    "check_file": "fersearch.api.creating",
    "check_from_data": "fersearch.api.creating",
    "check_plugin": "fersearch.api.plugins",
    "check_run": "fersearch.engines.backends",
    "collect_garbage": "fersearch.maintenance.garbage",
    "compare_studies": "fersearch.report.comparison.compare",
    "connect": "fersearch.api.connecting",
    "create_from_data": "fersearch.api.creating",
    "create_from_file": "fersearch.api.creating",
    "create_study": "fersearch.api.creating",
    "delete_study": "fersearch.api.studies",
    "diagnose": "fersearch.maintenance.doctor",
    "disconnect": "fersearch.api.connecting",
    "disk_by_owner": "fersearch.api.queueing",
    "enqueue_trial": "fersearch.api.enqueueing",
    "evaluate": "fersearch.evaluation.evaluate",
    "explain_trial": "fersearch.api.explaining",
    "export_checkpoint": "fersearch.api.checkpoint_export",
    "export_dataset": "fersearch.api.datasets",
    "export_study": "fersearch.api.study_export",
    "export_to_optuna": "fersearch.api.studies",
    "finish_study": "fersearch.api.finishing",
    "extend_study": "fersearch.api.extending",
    "front": "fersearch.api.studies",
    "importance": "fersearch.api.studies",
    "is_connected": "fersearch.api.connecting",
    "list_checkpoints": "fersearch.api.checkpoints",
    "list_datasets": "fersearch.api.datasets",
    "list_owners": "fersearch.api.queueing",
    "list_plugins": "fersearch.api.plugins",
    "list_queue": "fersearch.api.queueing",
    "list_studies": "fersearch.api.studies",
    "list_tokens": "fersearch.api.tokens",
    "list_trials": "fersearch.api.studies",
    "load_checkpoint": "fersearch.checkpoint_folder",
    "make_ensemble": "fersearch.ensembles.building",
    "matching_studies": "fersearch.context",
    "new_plugin": "fersearch.api.plugins",
    "new_token": "fersearch.api.tokens",
    "pause_study": "fersearch.api.queueing",
    "place_in_queue": "fersearch.api.queueing",
    "predict": "fersearch.evaluation.predict",
    "prepare_dataset": "fersearch.api.datasets",
    "pull_checkpoint": "fersearch.api.checkpoints",
    "queue_study": "fersearch.api.queueing",
    "report_dataset": "fersearch.report.gathering",
    "rerun_trial": "fersearch.api.reruns",
    "revoke_token": "fersearch.api.tokens",
    "run_study": "fersearch.api.run",
    "set_owner": "fersearch.api.queueing",
    "show_dataset": "fersearch.api.datasets",
    "show_plugin": "fersearch.api.plugins",
    "show_study": "fersearch.api.studies",
    "show_trial": "fersearch.api.studies",
    "stop_study": "fersearch.api.studies",
    "study_schema": "fersearch.api.creating",
    "study_spec": "fersearch.api.studies",
    "sweep_study": "fersearch.report.comparison.compare",
    "to_optuna": "fersearch.api.studies",
    "trust_plugins": "fersearch.context",
    "verify_dataset": "fersearch.api.datasets",
    "write_export": "fersearch.api.study_export",
    "write_report": "fersearch.report.gathering",
}

__all__ = [
    "chart_study",
    "chart_trial",
    "check_file",
    "check_from_data",
    "check_plugin",
    "check_run",
    "collect_garbage",
    "compare_studies",
    "connect",
    "create_from_data",
    "create_from_file",
    "create_study",
    "delete_study",
    "diagnose",
    "disconnect",
    "disk_by_owner",
    "enqueue_trial",
    "evaluate",
    "explain_trial",
    "export_checkpoint",
    "export_dataset",
    "export_study",
    "export_to_optuna",
    "extend_study",
    "finish_study",
    "front",
    "importance",
    "is_connected",
    "list_checkpoints",
    "list_datasets",
    "list_owners",
    "list_plugins",
    "list_queue",
    "list_studies",
    "list_tokens",
    "list_trials",
    "load_checkpoint",
    "make_ensemble",
    "matching_studies",
    "new_plugin",
    "new_token",
    "pause_study",
    "place_in_queue",
    "predict",
    "prepare_dataset",
    "pull_checkpoint",
    "queue_study",
    "report_dataset",
    "rerun_trial",
    "revoke_token",
    "run_study",
    "set_owner",
    "show_dataset",
    "show_plugin",
    "show_study",
    "show_trial",
    "stop_study",
    "study_schema",
    "study_spec",
    "sweep_study",
    "to_optuna",
    "trust_plugins",
    "verify_dataset",
    "write_export",
    "write_report",
]


def __dir__() -> list[str]:
    return list(__all__)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fersearch.api' has no attribute '{name}'")
    from fersearch.api.connecting import remote_verb

    if (verb := remote_verb(name)) is not None:
        return verb
    return getattr(importlib.import_module(_HOMES[name]), name)

"""Verbs that fetch models from a service."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from fersearch.api.checkpoints import FORMATS, CheckpointRow
from fersearch.api.remote.connection import refuse_storage, study_path
from fersearch.api.remote.looking import LookingVerbs
from fersearch.api.studies import StudyView
from fersearch.artifacts import file_digest
from fersearch.checkpoint_folder import is_ensemble, weights_file
from fersearch.errors import UsageError, lookup
from fersearch.evaluation.pulling import Choice, Pulled, preferred, require_checkpoint, write_pulled
from fersearch.export import keeping
from fersearch.export.keeping import FILES, MAX_LOSS, ExportedModel, card_to_export, check_export, keep
from fersearch.home import pulled_folder
from fersearch.store import StudyRow


def row_to_pull(study: StudyView) -> StudyRow:
    """Return a service's study as a row, for a model of it that is written here.

    Raises:
        UsageError: it has plugin files.
    """
    if study.plugins:
        message = f"study '{study.name}' keeps plugin files, which are not sent"
        raise UsageError(message, "pull it where the service runs")
    return StudyRow(0, study.name, study.spec, study.created, (), study.baseline, study.seconds, data=study.data)


class ModelVerbs(LookingVerbs):
    """The verbs of `fersearch.api` for checkpoints, with the same arguments as the local ones."""

    def list_checkpoints(self, name: str, storage: str | None = None) -> list[CheckpointRow]:
        """Return the checkpoints of a study by trial."""
        refuse_storage(storage)
        rows = self._service.get(study_path(name, "/checkpoints"))
        return [
            CheckpointRow(row["trial"], row["checkpoint"], row["epoch"], row["megabytes"], row["values"])
            for row in rows
        ]

    def pull_checkpoint(
        self,
        name: str,
        *,
        trial: int | None = None,
        prefer: str | None = None,
        where: Sequence[str] = (),
        out: Path | None = None,
        force: bool = False,
        format: str = "safetensors",
        trust_plugin: bool = False,  # noqa: ARG002 - no code is sent
        storage: str | None = None,
    ) -> Pulled:
        """Download a trial's checkpoint into a local folder and verify it; with `onnx` also its exported model."""
        refuse_storage(storage)
        lookup("format", format, FORMATS)
        row = row_to_pull(self.show_study(name))
        choice = self._chosen(name, trial, prefer, where)
        chosen = choice.trial
        require_checkpoint(name, chosen)
        folder = out or pulled_folder(name, chosen.number)
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "weights.safetensors"
            path = study_path(name, f"/checkpoints/{chosen.number}/weights")
            self._service.download(path, file, chosen.checkpoint or "")
            write_pulled(folder, row, chosen, file, force)
        if format == "onnx":
            self.export_checkpoint(folder)
        return Pulled(folder, chosen.number, chosen.values, given_up=choice.given_up)

    def export_checkpoint(
        self,
        checkpoint: Path,
        *,
        format: str = "onnx",
        out: Path | None = None,
        quantize: str | None = None,
        max_loss: float = MAX_LOSS,
        data: Path | None = None,
        force: bool = False,
        trust_plugin: bool = False,  # noqa: ARG002 - no code is sent
        storage: str | None = None,
    ) -> ExportedModel:
        """Download the ONNX file of a pulled checkpoint, which the service exports and checks once.

        Raises:
            UsageError: the service does not have this checkpoint, or an option is only for a local export.
        """
        refuse_storage(storage)
        lookup("format", format, keeping.FORMATS)
        if quantize or data or max_loss != MAX_LOSS:
            raise UsageError(
                "with --server a checkpoint is exported as it is, without --quantize, --max-loss and --data",
                "leave them out; or export on this machine: leave out --server and FERSEARCH_SERVER",
            )
        if is_ensemble(checkpoint):
            raise UsageError(
                f"{checkpoint} is an ensemble, which no service knows",
                "export it on this machine: leave out --server and FERSEARCH_SERVER",
            )
        check_export(checkpoint, out, force)
        card = card_to_export(checkpoint)
        place = self._place_of(str(card["study"]), file_digest(weights_file(checkpoint)))
        theirs = self._service.get(f"{place}/card")
        entry = {**theirs["onnx"], "file": FILES[None]}
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, FILES[None])
            self._service.download(f"{place}/onnx", file, entry["digest"])
            return keep(checkpoint, {"steps": theirs.get("steps"), **card}, entry, file, out, force)

    def _place_of(self, study: str, digest: str) -> str:
        """Return the path of the checkpoint of that digest."""
        for row in self.list_checkpoints(study):
            if row.digest == digest:
                return study_path(study, f"/checkpoints/{row.trial}")
        raise UsageError(
            f"study '{study}' at {self._service.url} has no checkpoint {digest[:12]}",
            "name the service that it was pulled from; or export on this machine: leave out --server",
        )

    def _chosen(self, name: str, number: int | None, prefer: str | None, where: Sequence[str]) -> Choice:
        if number is not None:
            return Choice(self.show_trial(name, number).trial)
        return preferred(self.front(name, where=where), prefer)

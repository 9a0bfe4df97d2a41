"""Cache of models: exported once by a child process, kept open while they are used."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from weakref import WeakValueDictionary

from fersearch.api import records
from fersearch.artifacts import Artifacts
from fersearch.checkpoint_folder import CARD
from fersearch.errors import UsageError
from fersearch.evaluation.serving import ServedModel
from fersearch.exported_models import ExportedModels
from fersearch.home import artifacts_folder
from fersearch.service import jobs
from fersearch.service.settings import MOST_EXPORTED
from fersearch.store import Store

OPEN = 8
"""Number of models kept open; the least recently used one is closed for another."""
OPEN_BYTES = 128 * 2**20
"""Most bytes of their files together, because they are held in memory; a single one may be larger."""
KNOWN = 1000
"""Number of cached digests of checkpoints by trial."""


class ModelCache:
    """Weights and exported models by the digest of their checkpoint, which several studies may share."""

    def __init__(self, store: Store, storage: str | None, most_exported: int = MOST_EXPORTED) -> None:
        self._store, self._storage, self._most_exported = store, storage, most_exported
        self._exported = ExportedModels()
        self._open: OrderedDict[str, ServedModel] = OrderedDict()
        self._digests: dict[tuple[str, int], tuple[tuple[int, int, int], str]] = {}
        self._sizes: dict[str, int] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # each while it is held

    def weights(self, study: str, trial: int) -> tuple[Path, str]:
        """Return the verified file of a trial's checkpoint, and its SHA-256.

        Raises:
            UnknownName: there is no such study or trial.
            UsageError: the trial has no checkpoint.
        """
        digest = self._digest(study, trial)
        return Artifacts(artifacts_folder()).open(digest), digest

    async def exported(self, study: str, trial: int) -> Path:
        """Return the folder with a trial's ONNX model, its card and its README.md; exported at the first call."""
        digest = await asyncio.to_thread(self._digest, study, trial)
        async with self._locks.setdefault(digest, asyncio.Lock()):
            if folder := await asyncio.to_thread(self._exported.use, digest):
                return folder
            unfinished = await asyncio.to_thread(self._exported.unfinished, digest)
            await jobs.run("export", self._storage, study=study, trial=trial, folder=str(unfinished))
            folder = await asyncio.to_thread(self._exported.keep, digest)
        await asyncio.to_thread(self.shrink)
        return folder

    def shrink(self) -> None:
        """Remove the least recently used exported models until all fit the limit."""
        self._exported.shrink(self._most_exported)

    def export_record(self, folder: Path) -> records.ExportedCheckpoint:
        """Return the record of an exported model from its card."""
        entry = json.loads((folder / CARD).read_text(encoding="utf-8"))["onnx"]
        return records.ExportedCheckpoint.of_card(Path(entry["file"]), entry)

    async def predict(
        self, study: str, trial: int, images: Sequence[tuple[str, bytes]], faces: bool | None, longest: int = 0
    ) -> list[records.UploadedPrediction]:
        """Return the predictions of a trial's model for images, each given as a name and a file's content.

        `longest` limits the longer side in pixels at which faces are detected; 0: no limit.

        Raises:
            DataError: one is not an image that can be read.
        """
        model = await self._model(study, trial)

        def answers() -> list[records.UploadedPrediction]:
            return [
                records.UploadedPrediction.of(name, model.answer(name, content, faces, longest))
                for name, content in images
            ]

        return await asyncio.to_thread(answers)

    async def _model(self, study: str, trial: int) -> ServedModel:
        digest = await asyncio.to_thread(self._digest, study, trial)
        if digest not in self._open:
            folder = await self.exported(study, trial)
            self._open[digest] = await asyncio.to_thread(ServedModel.open, folder)
            self._sizes[digest] = sum(file.stat().st_size for file in folder.glob("*.onnx"))
        model = self._open[digest]
        self._open.move_to_end(digest)
        while len(self._open) > OPEN or (len(self._open) > 1 and sum(self._sizes.values()) > OPEN_BYTES):
            del self._sizes[self._open.popitem(last=False)[0]]
        return model

    def _digest(self, study: str, trial: int) -> str:
        """Return the digest of a trial's checkpoint, read once until its study changes."""
        key, version = (study, trial), self._store.version(study)
        known = self._digests.get(key)
        if known is None or known[0] != version:
            if len(self._digests) >= KNOWN:
                self._digests.clear()
            known = self._digests[key] = version, self._checkpoint(study, trial)
        return known[1]

    def _checkpoint(self, study: str, trial: int) -> str:
        row = self._store.trial(self._store.study(study).id, trial)
        if row.checkpoint is None:
            raise UsageError(
                f"trial {trial} of study '{study}' is {row.state.value} and has no checkpoint",
                "choose one of GET studies/NAME/checkpoints",
            )
        return row.checkpoint

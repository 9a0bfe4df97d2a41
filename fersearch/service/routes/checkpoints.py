"""Routes for checkpoints: list, download, export, predict."""

from base64 import b64encode
from typing import Annotated

from fastapi import APIRouter, File, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse

from fersearch import api
from fersearch.api import records
from fersearch.service.conditional import ConditionalRoute
from fersearch.service.context import service_of
from fersearch.service.downloads import DOWNLOADS, Download, Range
from fersearch.service.problems import RESPONSES
from fersearch.service.security import Reader, Runner

router = APIRouter(prefix="/studies", tags=["checkpoints"], responses=RESPONSES, route_class=ConditionalRoute)
Longest = Annotated[
    int, Query(ge=0, le=4096, description="Pixels of the longer side at which faces are searched; 0: 640")
]
Faces = Annotated[bool | None, Query(description="Whether faces are found first; default as the model was trained")]


@router.get("/{name:path}/checkpoints")
def list_checkpoints(request: Request, name: str, _: Reader) -> list[records.Checkpoint]:
    """List the checkpoints of a study by trial."""
    return [records.Checkpoint.of(one) for one in api.list_checkpoints(name, service_of(request).settings.storage)]


@router.get("/{name:path}/checkpoints/{trial}/weights", response_class=Download, responses=DOWNLOADS)
def download(request: Request, name: str, trial: int, _: Reader, _bytes: Range = None) -> Download:
    """Download a trial's weights (safetensors); `Range` is honoured and the ETag is the file's SHA-256."""
    path, digest = service_of(request).models.weights(name, trial)
    sha256 = b64encode(bytes.fromhex(digest)).decode()
    headers = {"ETag": f'"{digest}"', "Repr-Digest": f"sha-256=:{sha256}:"}
    return Download(path, filename=path.name, headers=headers)


@router.post("/{name:path}/checkpoints/{trial}/export")
async def export(request: Request, name: str, trial: int, _: Runner) -> records.ExportedCheckpoint:
    """Export a trial's checkpoint to one ONNX file, once; `.../onnx` downloads it."""
    service = service_of(request)
    return service.models.export_record(await service.models.exported(name, trial))


@router.get("/{name:path}/checkpoints/{trial}/onnx", response_class=Download, responses=DOWNLOADS)
async def download_onnx(request: Request, name: str, trial: int, _: Reader, _bytes: Range = None) -> Download:
    """Download a trial's model as one ONNX file, exported at the first call."""
    folder = await service_of(request).models.exported(name, trial)
    return Download(folder / "model.onnx", filename=f"{folder.name}.onnx")


@router.get("/{name:path}/checkpoints/{trial}/card")
async def card(request: Request, name: str, trial: int, _: Reader) -> Response:
    """Return the card of a trial's model: what it was trained on, how it was judged, what it cannot tell."""
    folder = await service_of(request).models.exported(name, trial)
    return FileResponse(folder / "card.json", media_type="application/json")


@router.post("/{name:path}/checkpoints/{trial}/predict")
async def predict(
    request: Request,
    name: str,
    trial: int,
    _: Reader,
    images: Annotated[list[UploadFile], File(description="Image files; they are not stored")],
    faces: Faces = None,
    longest: Longest = 0,
) -> list[records.UploadedPrediction]:
    """Predict the expression on each image, or on each face in it; images stay in memory and are never stored."""
    service = service_of(request)
    uploads = [(upload.filename or "image", await upload.read()) for upload in images]
    return await service.models.predict(name, trial, uploads, faces, longest)

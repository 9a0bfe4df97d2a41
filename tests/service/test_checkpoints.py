"""Checkpoints over HTTP: downloaded whole or in part, exported once, used on images that are never stored."""

import hashlib
import io
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from fersearch import api
from fersearch.service.app import PREFIX
from tests.drawn_face import GROUND, face

CHECKPOINTS = f"{PREFIX}/studies/small/checkpoints"


def picture(size: tuple[int, int] = (64, 64), mode: str = "RGB", format: str = "PNG", **options: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, format, **options)
    return file.getvalue()


def test_weights_are_downloaded_whole_or_in_part(admin: TestClient):
    row = admin.get(CHECKPOINTS).json()[0]
    whole = admin.get(f"{CHECKPOINTS}/{row['trial']}/weights")
    sha256 = b64encode(hashlib.sha256(whole.content).digest()).decode()
    assert whole.headers["repr-digest"] == f"sha-256=:{sha256}:"
    assert hashlib.sha256(whole.content).hexdigest() == row["checkpoint"] == whole.headers["etag"].strip('"')
    part = admin.get(f"{CHECKPOINTS}/{row['trial']}/weights", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])


@pytest.mark.parametrize(("range", "status"), [("bytes=x", 400), ("bytes=99999999-", 416)])
def test_a_range_that_cannot_be_is_a_problem(admin: TestClient, range: str, status: int):
    answer = admin.get(f"{CHECKPOINTS}/0/weights", headers={"Range": range})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["hint"] == "ask for bytes=FIRST-LAST, or leave Range out"
    whole = len(admin.get(f"{CHECKPOINTS}/0/weights").content)
    assert answer.headers.get("content-range") == (f"bytes */{whole}" if status == 416 else None)


@pytest.mark.slow
def test_a_model_is_exported_once_and_answers_as_predict_does(admin: TestClient, tmp_path: Path):
    trial = admin.get(CHECKPOINTS).json()[0]["trial"]
    content = picture()
    (tmp_path / "face.png").write_bytes(content)
    answer = admin.post(f"{CHECKPOINTS}/{trial}/predict", files={"images": ("face.png", content)})
    assert answer.status_code == 200, answer.text
    (image,) = answer.json()
    assert (image["image"], image["width"], image["height"]) == ("face.png", 64, 64)
    pulled = api.pull_checkpoint("small", trial=trial, out=tmp_path / "pulled")
    (expected,) = api.predict(pulled.path, [tmp_path / "face.png"])
    (face,) = image["faces"]
    assert face["label"] == expected.label
    assert face["probabilities"] == pytest.approx(dict(expected.probabilities), abs=1e-4)

    exported = admin.post(f"{CHECKPOINTS}/{trial}/export").json()
    model = admin.get(f"{CHECKPOINTS}/{trial}/onnx").content
    assert hashlib.sha256(model).hexdigest() == exported["digest"]
    assert admin.get(f"{CHECKPOINTS}/{trial}/card").json()["dataset"]["name"] == "faces"

    uploads = [
        ("empty.png", b"", 422),
        ("text.png", b"no image", 422),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422),
        ("bomb.png", bomb(), 422),
        ("frames.gif", animation(), 200),
        ("print.jpg", picture(mode="CMYK", format="JPEG"), 200),
        ("grey.webp", picture(mode="L", format="WEBP"), 200),
        ("../../../etc/passwd.png", content, 200),
    ]
    for name, data, status in uploads:
        answer = admin.post(f"{CHECKPOINTS}/{trial}/predict", files={"images": (name, data)})
        assert answer.status_code == status, (name, answer.text)
    assert admin.post(f"{CHECKPOINTS}/{trial}/predict").status_code == 422
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright, stored on its side
    turned = post_prediction(admin, trial, picture((64, 32), format="JPEG", exif=exif))
    assert (turned["width"], turned["height"]) == (32, 64)
    faceless = post_prediction(admin, trial, picture((200, 200)), faces=True)
    assert [one["box"] for one in faceless["faces"]] == [None]
    assert faceless["notes"] == ["no face was found in 1 of 1 images: they are classified whole"]
    crowd = post_prediction(admin, trial, sheet(30), faces=True)
    assert len({tuple(one["box"]) for one in crowd["faces"]}) == 30


def post_prediction(client: TestClient, trial: int, content: bytes, **query: Any) -> Any:
    """Return what the model of a trial says about one image."""
    answer = client.post(f"{CHECKPOINTS}/{trial}/predict", files={"images": ("a", content)}, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()[0]


def animation() -> bytes:
    """A GIF of three frames."""
    frames = [Image.new("P", (64, 64), number) for number in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def sheet(count: int, side: int = 120) -> bytes:
    """A photograph of so many faces, six in a row."""
    image = Image.new("RGB", (6 * side, -(-count // 6) * side), GROUND)
    for number in range(count):
        image.paste(face(side * 3 // 4), (number % 6 * side + side // 8, number // 6 * side + side // 8))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def bomb() -> bytes:
    """A small file that says that it has 900 million pixels."""
    file = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(file, "PNG")
    return file.getvalue()


def test_a_trial_without_a_checkpoint_is_no_server_error(admin: TestClient):
    assert admin.get(f"{CHECKPOINTS}/99/weights").status_code == 404
    assert admin.post(f"{CHECKPOINTS}/99/predict", files={"images": ("a.png", picture())}).status_code == 404

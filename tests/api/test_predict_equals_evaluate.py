"""What `predict` says of a dataset's files is what `evaluate` judges, image by image, whatever the dataset.

Each dataset lies in the layout of its archive, as its own tests write it; a network of random weights answers.
"""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fersearch_architectures.cnn import Cnn
from PIL import Image

from fersearch import api, context
from fersearch.artifacts import file_digest
from fersearch.components import trained_task
from fersearch.context import components, drain_notices
from fersearch.data import options as dataset_options
from fersearch.data.arrays import load, prepare
from fersearch.data.prepared import FACES_DETECTED
from fersearch.ensembles.model import answers
from fersearch.errors import FersearchError
from fersearch.evaluation.request import EvaluationRequest, open_input
from fersearch.home import prepared_folder
from fersearch.study import Objective
from fersearch.training.batches import normalised
from fersearch.training.checkpoint import Restored, make_card, read_checkpoint, write_checkpoint
from fersearch.training.request import TrialRequest
from tests.drawn_face import photograph
from tests.plugins.datasets import test_ckplus as ckplus
from tests.plugins.datasets import test_fer2013 as fer2013
from tests.plugins.datasets import test_ferplus as ferplus
from tests.plugins.datasets import test_jaffe as jaffe
from tests.plugins.datasets import test_kdef as kdef
from tests.plugins.datasets import test_layouts as layouts
from tests.plugins.datasets import test_merged as merged
from tests.plugins.datasets import test_nhfi as nhfi
from tests.plugins.datasets import test_rafdb as rafdb

NETWORK = {"activation": "relu", "batch_norm": True, "convolutions": 1, "width": 1, "dropout": 0.0, "batch_size": 16}
PLAIN: Mapping[str, Any] = {"normalisation": "dataset"}
VIEWS: Mapping[str, Any] = {"normalisation": "half", "crop": 28, "tta": "ten_crop"}
GREY, RGB = {"image_size": 48, "channels": 1}, {"image_size": 32, "channels": 3}


def trained(folder: Path, name: str, source: Path, options: Mapping[str, Any], params: Mapping[str, Any]) -> Path:
    """A checkpoint as a trial on a dataset would leave it, its weights drawn at random."""
    registry = components()
    dataset = registry.dataset(name)
    texts = {key: str(value) for key, value in options.items()}
    prepared = prepare(dataset, source, dataset_options.parse(dataset, texts), prepared_folder())
    loaded = normalised(load(dataset, prepared, dict(options)), params)
    settings = {**NETWORK, **params, "target": dataset.targets[0]}
    request = TrialRequest(
        study_uid="0" * 32,
        study="study",
        number=0,
        attempt=1,
        params=settings,
        architecture="cnn",
        dataset=name,
        prepared=str(prepared.folder),
        dataset_options=dict(options),
        objective=Objective("accuracy", "max"),
        seed=0,
        scratch="",
        artifacts="",
    )
    torch.manual_seed(3)
    model = Cnn().build(settings, trained_task(loaded.task, settings))
    card = make_card(request, loaded, SimpleNamespace(kept_epoch=1, number=1), {}, "float32")
    folder.mkdir(exist_ok=True)
    write_checkpoint(folder / "model.safetensors", model.state_dict(), card)
    return folder


def judged(checkpoint: Path, source: Path, request: EvaluationRequest | None = None) -> tuple[list[str], np.ndarray]:
    """The names of the validation images, and the class shares by which `evaluate` judges them."""
    sitting = open_input(checkpoint, request or EvaluationRequest(data=source))
    restored = Restored.open(checkpoint / "model.safetensors", sitting.registry, "cpu")
    shares = answers(restored, sitting.loaded.images, sitting.rows)
    folder = Path(sitting.loaded.images.filename).parent
    names = np.load(folder / "columns" / "name.npy")[sitting.rows]
    return names.tolist(), shares


def file_of(source: Path, name: str) -> Path:
    top = source if source.is_dir() else source.parent
    tail = name.partition("/")[2]  # in merged data the first part of a name is its source
    return next(path for path in (top / name, *top.glob(f"*/{name}"), *top.glob(f"*/{tail}")) if path.is_file())


def predicted(checkpoint: Path, paths: list[Path], faces: bool | None = None) -> np.ndarray:
    return np.array([list(one.probabilities.values()) for one in api.predict(checkpoint, paths, faces=faces)])


@dataclass(frozen=True)
class Case:
    dataset: str
    write: Callable[[Path], Path]
    options: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return "-".join([self.dataset, self.write.__name__, *map(str, (self.options or {}).values())])


def in_folder(write: Callable[[Path], Any], below: str) -> Callable[[Path], Path]:
    """A writer whose dataset lies one folder down."""

    def written(folder: Path) -> Path:
        write(folder / below)
        return folder

    return written


def oblong(folder: Path) -> Path:
    """Class folders of pictures that are no squares."""
    for code, label in enumerate(("happy", "sad", "angry")):
        for k in range(6):
            layouts.noise(folder / label / f"{k}.png", 10 * code + k, 30 + 9 * k, 60 - 4 * k)
    return folder


def listed(folder: Path) -> Path:
    """The same, listed in a CSV."""
    oblong(folder / "img")
    rows = [f"img/{label}/{k}.png,{label}" for label in ("happy", "sad", "angry") for k in range(6)]
    (folder / "faces.csv").write_text("\n".join(["image,label", *rows]))
    return folder / "faces.csv"


def frontal(folder: Path) -> Path:
    """KDEF, one session from the front."""
    return kdef.write(folder, wanted=[name for name in kdef.names(sessions="A") if name[6:] == "S"])


def official(folder: Path) -> Path:
    return fer2013.write_folders(folder, *fer2013.OFFICIAL)


def originals(folder: Path) -> Path:
    source = rafdb.write_published(folder)
    for k, line in enumerate((source / rafdb.PUBLISHED).read_text().splitlines()):
        layouts.noise(source / "basic" / "Image" / "original" / line.split()[0], k, 60, 40)
    return source


ALONE = [
    Case("imagefolder", oblong),
    Case("imagefolder", oblong, {"preprocess": "illumination"}),
    Case("manifest", listed),
    Case("kdef", frontal, {"crop": "centre"}),
    Case("kdef", frontal, {"crop": "none"}),
    Case("ckplus", ckplus.write_original, {"crop": "centre"}),
    Case("ckplus", ckplus.write_original, {"crop": "none"}),
    Case("ckplus", in_folder(ckplus.write_ck48, "CK+48")),
    Case("rafdb", rafdb.write_published),
    Case("rafdb", rafdb.write_mirror),
    Case("rafdb", originals, {"images": "original"}),
    Case("jaffe", jaffe.write),
    Case("nhfi", nhfi.write),
    Case("fer2013", official),
    Case("ferplus", ferplus.write_folders),
    Case("merged", merged.write_merged, {"preprocess": "equalize"}),
    Case("oahega", layouts.write_oahega),
    Case("fed2023", layouts.write_fed),
    Case("affectnet", layouts.write_affectnet),
    Case("ferg", layouts.write_ferg),
    Case("muxspace", layouts.write_muxspace),
]


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    drain_notices()
    monkeypatch.setattr(context, "_reported", set())


@pytest.mark.parametrize(("shape", "params"), [(GREY, VIEWS), (RGB, PLAIN)], ids=["grey-views", "rgb-plain"])
@pytest.mark.parametrize("case", ALONE, ids=str)
def test_predict_on_the_files_says_what_evaluate_judges(
    tmp_path: Path, case: Case, shape: Mapping[str, Any], params: Mapping[str, Any]
) -> None:
    source = case.write(tmp_path / "source")
    checkpoint = trained(tmp_path / "pulled", case.dataset, source, {**shape, **(case.options or {})}, params)
    names, shares = judged(checkpoint, source)
    assert len(names) > 1
    result = predicted(checkpoint, [file_of(source, name) for name in names])
    np.testing.assert_allclose(result, shares, atol=1e-5)
    assert np.ptp(shares, axis=0).max() > 1e-4, "a network that says the same of all would prove nothing"
    assert drain_notices() == []


def test_an_image_of_the_published_layout_may_be_predicted_by_the_command_too(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from fersearch.cli import app

    source = frontal(tmp_path / "source")
    checkpoint = trained(tmp_path / "pulled", "kdef", source, {**RGB, "crop": "none"}, PLAIN)
    names, shares = judged(checkpoint, source)
    out = tmp_path / "out.csv"
    paths = [str(file_of(source, name)) for name in names]
    assert CliRunner().invoke(app, ["predict", str(checkpoint), *paths, "--csv", str(out)]).exit_code == 0
    rows = list(csv.reader(out.read_text().splitlines()))[1:]
    np.testing.assert_allclose(np.array([row[2:] for row in rows], float), shares, atol=1e-4)


def faces_in_photographs(folder: Path) -> Path:
    """AffectNet's tables: two faces in each photograph, the box of the one on the right."""
    header = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
    for part, n in (("training", 2), ("validation", 1)):
        rows = [header]
        for k, code in enumerate([*range(8)] * n):
            path = folder / "Manually_Annotated_Images" / part / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            photograph(300, (10, 80 + k)).save(path)
            rows.append(f"{part}/{k}.png,10,{80 + k},120,120,1;2,{code},0.1,-0.2")
        (folder / f"{part}.csv").write_text("\n".join(rows))
    return folder


def test_faces_are_detected_where_the_training_images_were_cut_to_boxes(tmp_path: Path) -> None:
    source = faces_in_photographs(tmp_path / "source")
    checkpoint = trained(tmp_path / "pulled", "affectnet", source, GREY, PLAIN)
    names, _ = judged(checkpoint, source)
    paths = [file_of(source, name) for name in names]
    drain_notices()
    automatic, requested, whole = (predicted(checkpoint, paths, faces) for faces in (None, True, False))
    assert np.allclose(automatic, requested, atol=1e-6)
    assert not np.allclose(automatic, whole, atol=1e-4)
    notices = drain_notices()
    assert notices == [
        "the training images were cut to the face (box margin 1.0), whose position is not known in a plain image: "
        "faces were found and cut with the same margin; --no-faces uses whole images",
        "the training images were cut to the face (box margin 1.0), whose position is not known in a plain image: "
        "whole images are used, as --no-faces asks",
    ]


def test_landmarks_are_replaced_by_a_detected_face_with_the_same_margin(tmp_path: Path) -> None:
    source = ckplus.write_original(tmp_path / "source")
    checkpoint = trained(tmp_path / "pulled", "ckplus", source, GREY, PLAIN)
    assert read_checkpoint(checkpoint / "model.safetensors")[0]["steps"][0] == {"step": "landmarks", "margin": 1.2}
    picture, plain = tmp_path / "one.png", tmp_path / "none.png"
    photograph(300, (60, 160)).save(picture)
    Image.new("L", (300, 200), 90).save(plain)
    one, none = api.predict(checkpoint, [picture, plain])
    left, top, width, height = one.box
    side = round(max(width, height) * 1.2)
    corner = (round(left + width / 2 - side / 2), round(top + height / 2 - side / 2))
    with Image.open(picture) as image:
        image.crop((*corner, corner[0] + side, corner[1] + side)).save(tmp_path / "cut.png")
    (cut,) = api.predict(checkpoint, [tmp_path / "cut.png"], faces=False)
    assert list(cut.probabilities.values()) == pytest.approx(list(one.probabilities.values()), abs=1e-5)
    assert none.box is None
    assert "but for 1 of 2 in which none was found" in drain_notices()[0]


def test_another_form_of_a_dataset_is_cut_as_the_one_of_the_training_was(tmp_path: Path) -> None:
    checkpoint = trained(tmp_path / "pulled", "ckplus", ckplus.write_original(tmp_path / "whole"), GREY, PLAIN)
    copies = ckplus.write_ck48(tmp_path / "CK+48")
    picture = photograph(300, (60, 160))
    for path in copies.glob("*/S005*"):
        picture.save(path)
    names, shares = judged(checkpoint, copies, EvaluationRequest(data=copies, split="train"))
    assert f"ckplus: {FACES_DETECTED}" in drain_notices()
    theirs = [k for k, name in enumerate(names) if "S005" in name][:3] or pytest.fail("none of them is for training")
    np.testing.assert_allclose(predicted(checkpoint, [copies / names[k] for k in theirs]), shares[theirs], atol=1e-5)


@pytest.mark.parametrize("crop", ["centre", "none"])
def test_an_ensemble_cuts_as_its_members_do(tmp_path: Path, crop: str) -> None:
    source = frontal(tmp_path / "source")
    checkpoint = trained(tmp_path / "pulled", "kdef", source, {**RGB, "crop": crop}, PLAIN)
    folder, file = tmp_path / "ensemble", checkpoint / "model.safetensors"
    folder.mkdir()
    (folder / "1.safetensors").write_bytes(file.read_bytes())
    card = read_checkpoint(file)[0]
    shared = ("class_names", "channels", "image_size", "dataset", "licence", "protocol", "params", "study", "versions")
    members = [{"file": "1.safetensors", "digest": file_digest(file), "weight": 1.0}]
    about = {"format": 1, "method": "mean", "digest": "0" * 64, "members": members, "plugins": [], "steps": []}
    about |= {"stacker": None, "studies": ["study"]}
    (folder / "ensemble.json").write_text(json.dumps(about | {name: card[name] for name in shared}))
    names, shares = judged(checkpoint, source)
    result = predicted(folder, [file_of(source, name) for name in names])
    np.testing.assert_allclose(result, shares, atol=1e-5)


def downgraded(checkpoint: Path, **dataset: Any) -> None:
    """Make the card one of format 1, from before the steps were stored."""
    card, tensors = read_checkpoint(checkpoint / "model.safetensors")
    card = {**card, "format": 1, "dataset": {**card["dataset"], **dataset}}
    del card["steps"]
    write_checkpoint(checkpoint / "model.safetensors", tensors, card)


def test_steps_of_an_older_card_come_from_the_options_of_its_dataset(tmp_path: Path) -> None:
    source = frontal(tmp_path / "source")
    checkpoint = trained(tmp_path / "pulled", "kdef", source, {**RGB, "crop": "none"}, PLAIN)
    downgraded(checkpoint)
    names, shares = judged(checkpoint, source)
    result = predicted(checkpoint, [file_of(source, name) for name in names])
    np.testing.assert_allclose(result, shares, atol=1e-5)
    assert drain_notices() == []


def test_an_older_card_of_a_dataset_that_is_not_here_is_reported(tmp_path: Path) -> None:
    source = oblong(tmp_path / "source")
    checkpoint = trained(tmp_path / "pulled", "imagefolder", source, {**GREY, "preprocess": "equalize"}, PLAIN)
    names, shares = judged(checkpoint, source)
    downgraded(checkpoint, name="elsewhere")
    result = predicted(checkpoint, [file_of(source, name) for name in names])
    np.testing.assert_allclose(result, shares, atol=1e-5)
    assert drain_notices() == [
        "the checkpoint was made before cuts were recorded: only size and preprocess are applied to images"
    ]


@pytest.mark.parametrize(
    "steps", [[{"step": "spin"}], [{"step": "fit", "size": 10**9}], [{"step": "fit", "size": 20}], [7], [{}]]
)
def test_a_card_whose_steps_make_no_sense_is_no_checkpoint(tmp_path: Path, steps: Any) -> None:
    checkpoint = trained(tmp_path / "pulled", "imagefolder", oblong(tmp_path / "source"), GREY, PLAIN)
    card, tensors = read_checkpoint(checkpoint / "model.safetensors")
    write_checkpoint(checkpoint / "model.safetensors", tensors, {**card, "steps": steps})
    with pytest.raises(FersearchError, match="checkpoint of fersearch"):
        api.predict(checkpoint, [tmp_path / "source" / "happy" / "0.png"])


@pytest.mark.parametrize("crop", ["centre", "none"])
def test_another_dataset_takes_the_shape_of_the_training_images(tmp_path: Path, crop: str) -> None:
    checkpoint = trained(tmp_path / "pulled", "kdef", frontal(tmp_path / "kdef"), {**RGB, "crop": crop}, PLAIN)
    other = oblong(tmp_path / "other")
    names, shares = judged(checkpoint, other, EvaluationRequest("imagefolder", other))
    result = predicted(checkpoint, [other / name for name in names])
    np.testing.assert_allclose(result, shares, atol=1e-5)
    assert drain_notices() == []


def test_faces_of_another_dataset_are_detected_where_the_model_needs_them(tmp_path: Path) -> None:
    checkpoint = trained(tmp_path / "pulled", "ckplus", ckplus.write_original(tmp_path / "ck"), GREY, PLAIN)
    other = tmp_path / "other"
    for label in ("happy", "sad"):
        (other / label).mkdir(parents=True)
        for k in range(5):
            photograph(240, (20 + 9 * k, 60)).save(other / label / f"{k}.png")
    names, shares = judged(checkpoint, other, EvaluationRequest("imagefolder", other))
    assert drain_notices() == [f"imagefolder: {FACES_DETECTED}"]
    result = predicted(checkpoint, [other / name for name in names])
    np.testing.assert_allclose(result, shares, atol=1e-5)


def test_boxes_of_another_dataset_stay_its_own(tmp_path: Path) -> None:
    checkpoint = trained(tmp_path / "pulled", "ckplus", ckplus.write_original(tmp_path / "ck"), GREY, PLAIN)
    other = layouts.write_expw(tmp_path / "expw")
    sitting = open_input(checkpoint, EvaluationRequest("expw", other))
    own = prepare(components().dataset("expw"), other, GREY, tmp_path / "own")
    assert np.array_equal(sitting.loaded.images, own.images)


def test_an_option_that_says_how_to_cut_goes_before_the_training_images(tmp_path: Path) -> None:
    checkpoint = trained(tmp_path / "pulled", "imagefolder", oblong(tmp_path / "own"), RGB, PLAIN)
    other = frontal(tmp_path / "kdef")
    sitting = open_input(checkpoint, EvaluationRequest("kdef", other, options={"crop": "none"}))
    own = prepare(components().dataset("kdef"), other, {**RGB, "crop": "none"}, tmp_path / "own-prepared")
    assert np.array_equal(sitting.loaded.images, own.images)


def test_merged_parts_that_are_cut_in_different_ways_are_reported(tmp_path: Path) -> None:
    frontal(tmp_path / "kdef")
    merged.write_fed(tmp_path / "fed")
    table = tmp_path / "merged.toml"
    table.write_text(
        '[[part]]\ndataset = "kdef"\ndata = "kdef"\noptions = { crop = "none" }\n'
        '[[part]]\ndataset = "fed2023"\ndata = "fed"\n'
    )
    checkpoint = trained(tmp_path / "pulled", "merged", table, RGB, PLAIN)
    names, shares = judged(checkpoint, table)
    theirs = [k for k, name in enumerate(names) if name.startswith("kdef/")]
    result = predicted(checkpoint, [tmp_path / names[k] for k in theirs])
    np.testing.assert_allclose(result, shares[theirs], atol=1e-5)
    (messages,) = drain_notices()
    assert messages == (
        "the parts of the training data were cut in different ways (kdef: squeeze size 32, colour channels 3; "
        "fed2023: colour channels 3, fit size 32): images as kdef's"
    )

"""A film is answered frame by frame: as lines, as a table, as an annotated film."""

import json
from pathlib import Path

import pytest
from PIL import Image

from fersearch.cli import run
from fersearch.data.video import film, frames
from fersearch.evaluation.frames import predict_frames
from tests.drawn_face import photograph


@pytest.fixture(scope="module")
def two_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of three frames: two faces, one face, none."""
    path = tmp_path_factory.mktemp("film") / "faces.mp4"
    with film(path, rate=5) as made:
        made.add(photograph(480, (40, 160), (280, 150), height=288))
        made.add(photograph(480, (40, 160), height=288))
        made.add(photograph(480, height=288))
    return path


def test_each_frame_has_its_faces_or_is_judged_whole(pulled: Path, two_faces: Path):
    result = list(predict_frames(pulled, two_faces))
    assert [len([one for one in answer.predictions if one.box]) for answer in result] == [2, 1, 0]
    assert len(result[2].predictions) == 1
    for answer in result:
        assert all(sum(one.probabilities.values()) == pytest.approx(1, abs=1e-5) for one in answer.predictions)
        assert answer.annotated().size == (480, 288)
    assert result[0].annotated().tobytes() != result[0].image.tobytes()


def test_json_lines_a_table_and_a_film_are_written(pulled: Path, two_faces: Path, tmp_path: Path, capsys):
    table, out = tmp_path / "faces.csv", tmp_path / "faces.gif"
    arguments = ["predict", str(pulled), "--video", str(two_faces), "--json", "--csv", str(table), "-o", str(out)]
    assert run(arguments) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["frame"], one["seconds"], len(one["faces"])) for one in lines] == [
        (0, 0.0, 2),
        (1, 0.2, 1),
        (2, 0.4, 1),
    ]
    rows = table.read_text().splitlines()
    assert rows[0].startswith("frame,seconds,face_left,face_top,face_width,face_height,label,")
    assert len(rows) == 5
    with Image.open(out) as image:
        assert image.n_frames == 3
    assert run(arguments) == 2, "files are there already"


def test_a_person_reads_a_line_a_frame(pulled: Path, two_faces: Path, capsys):
    assert run(["predict", str(pulled), "--video", str(two_faces), "--every", "2"]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("frame 0 (0.00 s): ")
    assert " at " in first
    assert last.endswith("(no face found: whole frame)")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--camera", "97"], "camera 97 does not exist"),
        (["--video", "nothing.mp4"], "video nothing.mp4 does not exist"),
        (["--video", "a.mp4", "--camera", "0"], "--video and --camera take a single source"),
        (["--every", "2", "face.png"], "belong to --video or --camera"),
    ],
)
def test_mistakes_are_reported(pulled: Path, arguments: list[str], message: str, capsys):
    assert run(["predict", str(pulled), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_ctrl_c_keeps_what_came(pulled: Path, two_faces: Path, tmp_path: Path, monkeypatch, capsys):
    from fersearch.cli import film as command

    def interrupted(answer, as_json):
        if answer.frame == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "_print", interrupted)
    out = tmp_path / "out.mp4"
    assert run(["predict", str(pulled), "--video", str(two_faces), "-o", str(out)]) == 130
    assert len(list(frames(out))) == 1
    assert "interrupted after 2 frames, which are kept" in capsys.readouterr().err

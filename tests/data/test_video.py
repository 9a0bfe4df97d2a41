"""Films are read frame by frame and written completely; a file or camera that cannot be read is reported."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fersearch.data.video import film, frames
from fersearch.errors import DataError, UsageError


def grey(level: int) -> Image.Image:
    return Image.new("RGB", (64, 48), (level, level, level))


def write(path: Path, levels: range) -> Path:
    with film(path, rate=10) as made:
        for level in levels:
            made.add(grey(level))
    return path


def test_frames_come_in_their_order_with_their_times(tmp_path: Path):
    result = list(frames(write(tmp_path / "a.mp4", range(0, 250, 25))))
    assert [frame.number for frame in result] == list(range(10))
    assert [frame.seconds for frame in result] == pytest.approx([n / 10 for n in range(10)])
    levels = [float(np.asarray(frame.image).mean()) for frame in result]
    assert np.allclose(levels, range(0, 250, 25), atol=4)


def test_each_nth_frame_and_no_more_than_requested(tmp_path: Path):
    path = write(tmp_path / "a.mp4", range(0, 200, 20))
    assert [frame.number for frame in frames(path, every=4)] == [0, 4, 8]
    assert [frame.number for frame in frames(path, every=2, most=2)] == [0, 2]


def test_a_gif_is_written_and_plays_all_its_frames(tmp_path: Path):
    with Image.open(write(tmp_path / "a.gif", range(0, 250, 50))) as image:
        assert (image.n_frames, image.size) == (5, (64, 48))


def test_frames_before_an_interruption_are_returned(tmp_path: Path):
    def interrupted() -> None:
        with film(tmp_path / "a.mp4") as made:
            made.add(grey(100))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(list(frames(tmp_path / "a.mp4"))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_film_without_a_frame_leaves_nothing(tmp_path: Path):
    with film(tmp_path / "a.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_or_written_is_reported(tmp_path: Path):
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(DataError, match="is not a video that can be read"):
        next(frames(tmp_path / "text.mp4"))
    with pytest.raises(UsageError, match=r"video .* does not exist"):
        next(frames(tmp_path / "nothing.mp4"))
    with pytest.raises(UsageError, match="camera 97 does not exist"):
        next(frames(97))
    with pytest.raises(UsageError, match="--every 0 is too small"):
        next(frames(97, every=0))
    with pytest.raises(UsageError, match="cannot write a film into"), film(tmp_path / "a.txt"):
        pass

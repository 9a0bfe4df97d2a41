"""What is opened as an image: no bomb, no program in disguise, and without a warning."""

import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

import pytest
from PIL import EpsImagePlugin, Image

from fersearch import DataError
from fersearch.data import images, opening


def saved(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


def claiming(path: Path, width: int, height: int) -> Path:
    """A PNG of a few bytes whose header says how large it is."""
    Image.new("L", (1, 1)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("side", [8193, 12_000, 60_000])
def test_an_image_of_absurd_size_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    path = claiming(tmp_path / "bomb.png", side, side)
    opening.quiet()  # as at the import, which pytest's own filters outlive
    tracemalloc.start()
    for read in (images.decode, images.upright):
        with pytest.raises(DataError, match=r"bomb.png has more than 67,108,864 pixels"):
            read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_large_images_are_decoded_one_at_a_time(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.new("1", (4097, 4097)))
    with opening.opened(path):
        assert opening._many.locked()
    with opening.opened(saved(tmp_path / "b.png", Image.new("1", (48, 48)))):
        assert not opening._many.locked()


def test_postscript_under_another_name_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **more: pytest.fail("Ghostscript was started"))
    path = tmp_path / "face.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 48\n%%EndComments\nshowpage\n%%EOF\n")
    with Image.open(path) as result:
        assert result.format == "EPS"
    for read in (images.decode, images.upright):
        with pytest.raises(DataError, match=r"face.png is corrupt: not an image that can be read"):
            read(path)


def test_what_pillow_warns_of_is_not_shown(tmp_path: Path) -> None:
    path = claiming(tmp_path / "bomb.png", 12_000, 12_000)  # above Pillow's own limit for a warning
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("always")
        with pytest.raises(DataError):
            images.decode(path)
        assert messages
        messages.clear()
        opening.quiet()
        with pytest.raises(DataError):
            images.decode(path)
    assert not messages

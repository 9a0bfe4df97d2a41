"""16-bit images are scaled by the bits that their values use, those of a dataset together."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fersearch.data import depth, images

LEVELS = np.tile(np.arange(48, dtype=np.uint16) * 5, (48, 1))


def test_the_usual_depths_hold_what_they_can():
    assert [depth.bits_of(value) for value in (0, 255, 256, 1023, 4095, 4096, 16_383, 16_384, 65_535)] == [
        *(8, 8, 10, 10, 12, 14, 14, 16, 16)
    ]


@pytest.mark.parametrize("bits", depth.DEPTHS)
@pytest.mark.parametrize("name", ["grey.png", "grey.tif", "rgb.png", "rgb.tif", "rgba.png", "rgb.ppm"])
def test_every_kind_of_file_is_scaled_by_the_bits_it_uses(tmp_path: Path, bits: int, name: str) -> None:
    values = np.rint(LEVELS * ((2**bits - 1) / 255)).astype(np.uint16)
    values[-1, -1] = 2**bits - 1
    if not name.startswith("grey"):
        values = np.dstack([values] * 3 + ([np.full_like(values, 65_535)] if name.startswith("rgba") else []))
    cv2.imwrite(str(tmp_path / name), values)
    result = images.decode(tmp_path / name, channels=1)[0]
    assert np.abs(result[:-1].astype(int) - LEVELS[:-1]).max() <= 1


def test_colours_keep_their_order(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((48, 48, 3), (30 * 16, 20 * 16, 250 * 16), np.uint16))
    red, green, blue = images.decode(tmp_path / "a.png", channels=3)[:, 0, 0]
    assert (round(red / 10), round(green / 10), round(blue / 10)) == (25, 2, 3)


def saved(folder: Path, highest: dict[str, int]) -> list[Path]:
    for name, value in highest.items():
        values = np.zeros((48, 48), np.uint16)
        values[24:] = value
        Image.fromarray(values).save(folder / name)
    return [folder / name for name in highest]


def test_the_images_of_a_dataset_share_their_range_and_the_dark_ones_are_named(tmp_path: Path) -> None:
    paths = saved(tmp_path, {"a.png": 4095, "b.png": 2048, "c.png": 255, "d.png": 256})
    Image.new("L", (48, 48), 77).save(tmp_path / "e.png")
    findings: list[str] = []
    pictures = images.decode_all([*paths, tmp_path / "e.png"], 48, 1, findings)
    assert [int(pixels.max()) for pixels in pictures] == [255, 128, 16, 16, 77]
    assert findings[0] == "16-bit images use 12 bits: white is 4,095; 1 of 4 are far darker than the rest: c.png"
    assert pictures.steps[0] == {"step": "depth", "bits": 12}


def test_a_lone_deep_image_among_many_is_reported(tmp_path: Path) -> None:
    flat = tmp_path / "flat.png"
    Image.new("L", (48, 48), 9).save(flat)
    (deep,) = saved(tmp_path, {"deep.png": 1000})
    paths = [flat] * 200
    paths[151] = deep
    findings: list[str] = []
    pictures = images.decode_all(paths, 48, 1, findings)
    assert max(int(pixels.max()) for pixels in pictures) == round(1000 * 255 / 1023)
    assert findings[0] == "16-bit images use 10 bits: white is 1,023"
    assert pictures.steps[0] == {"step": "depth", "bits": 10}


def test_sixteen_full_bits_are_reported_without_a_white(tmp_path: Path) -> None:
    findings: list[str] = []
    list(images.decode_all(saved(tmp_path, {"a.png": 65_535}), 48, 1, findings))
    assert findings[0] == "16-bit images use 16 bits"


def test_a_broken_deep_image_is_refused_and_leaves_the_others_their_range(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 4096, (90, 90, 3), np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), noise)
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(images.DataError, match=r"b\.png is corrupt"):
        list(images.decode_all([tmp_path / "a.png", tmp_path / "b.png"], 48, 3, []))


def test_own_bits_are_no_fewer_than_the_training_images_bits() -> None:
    own, twelve = depth.OwnDepth(), depth.OwnDepth(12)
    assert [own(255), own(4095), own(65_535)] == [8, 12, 16]
    assert [twelve(255), twelve(4095), twelve(65_535)] == [12, 12, 16]
    assert (own.others, twelve.others) == ([8, 12], [16])


def test_a_camera_turned_on_its_side_is_turned_back(tmp_path: Path) -> None:
    image = Image.fromarray(np.rint(LEVELS * (4095 / 255)).astype(np.uint16))
    exif = image.getexif()
    exif[0x0112] = 3
    image.save(tmp_path / "a.png", exif=exif)
    pixels = images.decode(tmp_path / "a.png")[0]
    assert pixels[0, 0] > 200 > 30 > pixels[0, 47]

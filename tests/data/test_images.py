"""Any image file becomes a small uint8 array, or an error that names it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fersearch import DataError
from fersearch.data import images
from fersearch.data.step_lists import boxed
from fersearch.data.steps import Annotation

RAMP = np.tile(np.arange(48, dtype=np.uint8) * 5, (48, 1))


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_a_grey_image_of_the_right_size_is_read_bit_for_bit(tmp_path: Path) -> None:
    pixels = images.decode(saved(tmp_path / "a.png", Image.fromarray(RAMP)))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, RAMP[None])


def test_three_channels_come_first_and_repeat_grey(tmp_path: Path) -> None:
    pixels = images.decode(saved(tmp_path / "a.png", Image.fromarray(RAMP)), channels=3)
    assert np.array_equal(pixels, np.repeat(RAMP[None], 3, 0))


def test_colour_keeps_its_channels(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.new("RGB", (48, 48), (10, 20, 30)))
    assert images.decode(path, channels=3)[:, 0, 0].tolist() == [10, 20, 30]


def test_another_size_is_cropped_to_its_middle_square_and_resized(tmp_path: Path) -> None:
    wide = Image.new("L", (300, 100), 0)
    wide.paste(200, (90, 0, 210, 100))
    pixels = images.decode(saved(tmp_path / "a.png", wide), image_size=32)
    assert pixels.shape == (1, 32, 32)
    assert pixels.min() == pixels.max() == 200


def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.fromarray(RAMP.astype(np.uint16) * 257))
    assert np.array_equal(images.decode(path)[0], RAMP)


def test_real_values_from_zero_to_one_are_scaled(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tiff", Image.fromarray(RAMP.astype(np.float32) / 255))
    assert np.array_equal(images.decode(path)[0], RAMP)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (48, 48), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (0, 0, 24, 48))
    pixels = images.decode(saved(tmp_path / "a.png", clear))[0]
    assert pixels[0, 0] == 0
    assert pixels[0, 47] == 255


@pytest.mark.parametrize("mode", ["P", "1", "LA", "CMYK"])
def test_other_modes_are_read_as_grey(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(np.where(RAMP > 120, 255, 0).astype(np.uint8)).convert(mode)
    path = saved(tmp_path / ("a.tiff" if mode == "CMYK" else "a.png"), image)
    assert np.array_equal(images.decode(path)[0], np.where(RAMP > 120, 255, 0))


def test_a_palette_with_a_transparent_colour_is_read(tmp_path: Path) -> None:
    image = Image.new("P", (48, 48), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    path = saved(tmp_path / "a.png", image, transparency=0)
    assert images.decode(path).min() == 255


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("L", (48, 48), level) for level in (10, 200)]
    path = saved(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    findings: list[str] = []
    pixels = list(images.decode_all([path], 48, 1, findings))
    assert pixels[0].max() == 10
    assert "animated" in findings[0]


def test_a_photo_is_turned_as_its_camera_was_held(tmp_path: Path) -> None:
    image = Image.fromarray(RAMP)
    exif = image.getexif()
    exif[0x0112] = 3
    pixels = images.decode(saved(tmp_path / "a.jpg", image, exif=exif, quality=100))[0]
    assert pixels[0, 0] > 200 > 30 > pixels[0, 47]


def test_what_was_converted_is_reported_once_all_are_read(tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{k}.png", Image.new("L", (48, 48), k)) for k in range(3)]
    paths.append(saved(tmp_path / "big.png", Image.new("RGB", (60, 50))))
    findings: list[str] = []
    assert len(list(images.decode_all(paths, 48, 1, findings))) == 4
    assert findings == ["1 images were converted to 48x48 grey: 1 of 60x50 RGB"]


def test_large_files_decoded_side_by_side_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LARGE_FILE", 0)
    monkeypatch.setattr(images, "cpu_count", lambda: 2)
    paths = [saved(tmp_path / f"{k:03d}.png", Image.new("L", (48, 48), k)) for k in range(100)]
    assert [int(pixels.max()) for pixels in images.decode_all(paths, 48, 1, [])] == list(range(100))


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        images.decode(path)
    assert caught.value.hint
    return caught.value.message


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    path.touch()
    assert refusal(path) == f"image {path} is empty (0 bytes)"


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.png"
    path.write_text("not an image")
    assert refusal(path) == f"image {path} is corrupt: not an image that can be read"


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp"])
def test_a_truncated_image_is_named(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8)
    path = saved(tmp_path / f"half.{suffix}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert refusal(path).startswith(f"image {path} is corrupt: ")


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.png") == f"{tmp_path / 'no.png'} does not exist"


def test_a_forbidden_image_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path, **how: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Image, "open", forbidden)
    assert refusal(tmp_path / "a.png") == f"no permission to read {tmp_path / 'a.png'}"


@pytest.mark.parametrize("large", [0, images.LARGE_FILE])
def test_all_files_that_cannot_be_read_are_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(images, "LARGE_FILE", large)
    monkeypatch.setattr(images, "cpu_count", lambda: 2)
    monkeypatch.setattr(images, "SHOWN", 2)
    paths = [saved(tmp_path / f"{k}.png", Image.new("L", (48, 48), k)) for k in range(6)]
    for broken in (1, 3, 4):
        paths[broken].write_text("not an image")
    with pytest.raises(DataError) as caught:
        list(images.decode_all(paths, 48, 1, []))
    assert caught.value.message.splitlines() == [
        "3 images cannot be used:",
        f"  image {paths[1]} is corrupt: not an image that can be read",
        f"  image {paths[3]} is corrupt: not an image that can be read",
        "  and 1 more",
    ]


def test_a_cut_takes_its_part_before_the_image_is_fitted(tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{k}.png", Image.fromarray(np.tile(RAMP, (2, 2)))) for k in range(2)]
    whole, part = images.decode_all(paths, 48, 1, [], boxed(48, 1), [None, Annotation((48, 48, 96, 96))])
    assert np.array_equal(part, RAMP[None])
    assert np.array_equal(whole, images.decode(paths[0]))

"""Which files are images that can be decoded here, judged by their names."""

from functools import lru_cache
from os.path import splitext

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm", ".pnm")
)
NEEDS = {".avif": "a Pillow with AVIF", ".heic": "pillow-heif", ".heif": "pillow-heif"}
THUMBNAILS = ("thumb_", "thumbnail_", "synofile_thumb", "synophoto_thumb")
THUMBNAIL_ENDS = ("_thumb", "-thumb", ".thumb", "_thumbnail", "-thumbnail")


def is_image(name: str) -> bool:
    """Return whether a file of this name is an image to read: no thumbnail, in a format that can be decoded here."""
    stem, suffix = splitext(name.lower())
    if suffix not in SUFFIXES and not (suffix in NEEDS and decodable(suffix)):
        return False
    return not (stem.startswith(THUMBNAILS) or stem.endswith(THUMBNAIL_ENDS))


def lacking(name: str) -> str | None:
    """Return what must be installed to decode an image of this name; None if nothing, or if it is not an image."""
    suffix = splitext(name.lower())[1]
    return NEEDS[suffix] if suffix in NEEDS and not decodable(suffix) else None


@lru_cache
def decodable(suffix: str) -> bool:
    """Return whether Pillow can decode a format of `NEEDS`; a decoder that is a package of its own is registered."""
    from PIL import features

    if suffix == ".avif":
        return "avif" in features.modules and bool(features.check("avif"))
    try:
        import pillow_heif  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True

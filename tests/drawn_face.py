"""A face drawn in colour, which a detector of faces finds; no image of a person."""

from PIL import Image, ImageDraw, ImageFilter

GROUND = (195, 195, 195)
HAIR, DARK, SKIN, LIGHT = (54, 54, 54), (152, 114, 95), (191, 152, 129), (206, 168, 145)
HALF_WIDTH, EYES, EYE_LINE = 0.29, 0.176, 0.5


def face(side: int) -> Image.Image:
    """Draw a face that fills a square of so many pixels."""
    whole = 2 * side
    image = Image.new("RGB", (whole, whole), GROUND)
    draw = ImageDraw.Draw(image)

    def box(left: float, top: float, right: float, bottom: float) -> list[float]:
        return [whole * left, whole * top, whole * right, whole * bottom]

    def points(*places: float) -> list[float]:
        return [whole * place for place in places]

    draw.ellipse(box(0.45 - HALF_WIDTH, 0.0, 0.55 + HALF_WIDTH, 0.75), fill=HAIR)
    draw.rectangle(box(0.38, 0.8, 0.62, 1.0), fill=DARK)
    draw.ellipse(box(0.5 - HALF_WIDTH, 0.1, 0.5 + HALF_WIDTH, 0.95), fill=SKIN)
    for x in (0.5 - EYES, 0.5 + EYES):
        brow = points(x - 0.1, EYE_LINE - 0.08, x, EYE_LINE - 0.11, x + 0.1, EYE_LINE - 0.08)
        draw.line(brow, fill=HAIR, width=whole // 40)
        draw.ellipse(box(x - 0.09, EYE_LINE - 0.055, x + 0.09, EYE_LINE + 0.05), fill=DARK)
        draw.ellipse(box(x - 0.075, EYE_LINE - 0.035, x + 0.075, EYE_LINE + 0.035), fill=(235, 235, 235))
        draw.ellipse(box(x - 0.035, EYE_LINE - 0.035, x + 0.035, EYE_LINE + 0.035), fill=(40, 30, 25))
    draw.polygon(points(0.5, EYE_LINE, 0.43, 0.62, 0.57, 0.62), fill=DARK)
    draw.polygon(points(0.5, EYE_LINE, 0.46, 0.6, 0.54, 0.6), fill=LIGHT)
    for left in (0.44, 0.51):
        draw.ellipse(box(left, 0.6, left + 0.05, 0.635), fill=(90, 50, 40))
    draw.ellipse(box(0.36, 0.71, 0.64, 0.81), fill=(170, 80, 75))
    draw.line(points(0.36, 0.76, 0.64, 0.76), fill=(110, 40, 40), width=max(1, whole // 80))
    return image.resize((side, side), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(side / 45))


def photograph(width: int, *faces: tuple[int, int], height: int = 300) -> Image.Image:
    """Draw an image with faces, each a distance from the left and a side."""
    image = Image.new("RGB", (width, height), GROUND)
    for left, side in faces:
        image.paste(face(side), (left, 50))
    return image

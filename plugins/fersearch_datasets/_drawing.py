"""Draws a block of faces with soft strokes and soft regions on the pixel grid, in the order a painter would.

A region is a number below or above zero at every pixel; `soft` turns it into coverage from 0 to 1 with an
anti-aliased edge. Lengths are in units of the face's half height; y points down.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fersearch_datasets._people import SIZE, Block, Floats

SOFTNESS = 12.0
GRID_Y, GRID_X = np.meshgrid(np.arange(SIZE, dtype=np.float32), np.arange(SIZE, dtype=np.float32), indexing="ij")


def soft(distance: Floats) -> Floats:
    """Coverage (0..1) of the region where `distance` is positive."""
    edge: Floats = distance * np.float32(SOFTNESS)
    edge += 0.5
    return np.clip(edge, 0, 1, out=edge)


@dataclass
class Canvas:
    """The pictures as they are painted, (64, 48, 48), and the coordinates to paint them in.

    `x`, `y` are in the plane of the head; `u`, `v` are on its rounded front, so that features follow yaw and pitch.
    `round` is 0 at the middle of the face and 1 at its sides; `face` is its coverage.
    """

    image: Floats
    x: Floats
    y: Floats
    u: Floats
    v: Floats
    round: Floats
    face: Floats
    dark: Floats

    def paint(self, coverage: Floats, colour: Floats | float, opacity: Floats | float) -> None:
        """Lay a colour (0 black, 1 white) over the covered pixels."""
        self.image += coverage * opacity * (colour - self.image)

    def stroke(self, curve: Floats, across: Floats, width: Floats, thickness: Floats | float) -> Floats:
        """Coverage of a line that follows v = `curve`, where `across` is within `width` of zero."""
        return soft(thickness - np.abs(self.v - curve)) * soft(width - np.abs(across))


def draw(block: Block) -> npt.NDArray[np.uint8]:
    """Draw the faces of a block: uint8 (64, 48, 48)."""
    canvas = _head(block)
    for side in (-1, 1):
        _brow(canvas, block, side)
        _eye(canvas, block, side)
        _cheek(canvas, block, side)
    _nose(canvas, block)
    inside = _mouth(canvas, block)
    _beard(canvas, block, inside)
    _glasses(canvas, block)
    _occlusion(canvas, block)
    return _photograph(canvas.image, block)


def _head(block: Block) -> Canvas:
    """Return the background, the hair and the shaded oval of the face."""
    x, y = _head_plane(block)
    width, height = block.trait("face_width", 0.78, 0.95), block.trait("face_height", 1.05, 1.22)
    jaw = 1 + 0.12 * block.units["au26"]
    rounding = (x / width) ** 2
    tall = np.where(y > 0, y / (height * jaw), y / height)
    face = soft((1 - np.sqrt(rounding + tall**2) - 0.03 * np.sign(y)) * 0.8)
    yaw = np.clip(block.pose["yaw"] * 0.30 * block.hardness, -0.7, 0.7)
    pitch = np.clip(block.pose["pitch"] * 0.18 * block.hardness, -0.4, 0.4)
    u = (x - 0.38 * yaw * (1 - np.minimum(rounding, 1))) * (1 + 0.25 * yaw**2)
    scene = block.scene
    image = 0.15 + 0.7 * scene["background"] + 0.25 * (scene["gradient_x"] - 0.5) * x
    image = image + 0.25 * (scene["gradient_y"] - 0.5) * y
    canvas = Canvas(image, x, y, u, y - 0.35 * pitch, rounding, face, _skin(block) * 0.35)
    _hair_and_skin(canvas, block, width, height)
    return canvas


def _head_plane(block: Block) -> tuple[Floats, Floats]:
    """Pixel coordinates turned, scaled and moved into the plane of each head."""
    pose, hardness = block.pose, block.hardness
    roll = np.clip(pose["roll"] * 7 * hardness, -22, 22) * np.pi / 180
    scale = 19.5 * (1 + 0.07 * hardness * pose["scale"]).clip(0.8, 1.25)
    cosine, sine = np.cos(roll) / scale, np.sin(roll) / scale
    dx = GRID_X[None] - (23.5 + 1.6 * hardness * pose["shift_x"])
    dy = GRID_Y[None] - (24 + 1.6 * hardness * pose["shift_y"])
    return dx * cosine + dy * sine, dy * cosine - dx * sine


def _hair_and_skin(canvas: Canvas, block: Block, width: Floats, height: Floats) -> None:
    x, y, face, colour = canvas.x, canvas.y, canvas.face, _hair(block)
    hair = soft((1.16 - np.sqrt((x / (width * 1.08)) ** 2 + ((y + 0.12) / (height * 1.05)) ** 2)) * 0.8)
    hair *= soft(block.trait("hair_length", -0.35, 1.0) - y)
    canvas.paint(hair, colour, 1.0)
    light_x, light_y = _light(block)
    canvas.paint(face, _skin(block) * (1 + 0.32 * light_x * x + 0.28 * light_y * y - 0.16 * canvas.round), 1.0)
    hairline = -0.62 - 0.35 * block.traits["fringe"] - y + 0.25 * (block.traits["fringe_tilt"] - 0.5) * x
    canvas.paint(np.maximum(face, hair * (y < 0.2)) * soft(hairline), colour, 1.0)


def _skin(block: Block) -> Floats:
    return 0.42 + 0.42 * block.traits["skin"]


def _hair(block: Block) -> Floats:
    return 0.05 + 0.55 * block.traits["hair"] ** 2


def _light(block: Block) -> tuple[Floats, Floats]:
    angle, strength = block.scene["light_angle"] * 6.283, block.scene["light_strength"]
    return np.cos(angle) * strength, np.sin(angle) * strength


def _eye_place(block: Block) -> tuple[Floats, Floats, Floats]:
    """Return the distance of the eyes from the middle, their height and their half width."""
    return block.trait("eye_x", 0.33, 0.42), block.trait("eye_y", -0.20, -0.10), block.trait("eye_width", 0.15, 0.20)


def _brow(canvas: Canvas, block: Block, side: int) -> None:
    """One eyebrow: units 1 and 2 raise it, 4 lowers and knits it, one-sided 2 raises the left one alone."""
    units = block.units
    eye_x, eye_y, eye_width = _eye_place(block)
    across = canvas.u - side * eye_x
    inward = -side * across / eye_width
    lifted = np.maximum(units["au2_one_sided"] * (1.0 if side < 0 else -0.35), 0)
    raised, knit = units["au2"] + lifted, units["au4"] * (1 - 0.8 * lifted)
    height = eye_y - block.trait("brow_height", 0.21, 0.28) - 0.07 * (units["au1"] + raised) + 0.09 * knit
    height = height + 0.03 * units["au9"]
    tilt = -0.055 * units["au1"] + 0.05 * raised + 0.085 * knit
    curve = height + tilt * inward + (0.03 - 0.02 * knit) * inward**2
    thickness = block.trait("brow_thickness", 0.03, 0.065)
    canvas.paint(
        canvas.stroke(curve, across + 0.02 * side * knit, eye_width * 1.25, thickness), _hair(block) * 0.6, 0.85
    )


def _eye(canvas: Canvas, block: Block, side: int) -> None:
    """One eye: unit 5 opens it, 6, 7 and 9 narrow it."""
    units, v = block.units, canvas.v
    eye_x, eye_y, width = _eye_place(block)
    opening = block.trait("eye_opening", 0.065, 0.10)
    across = canvas.u - side * eye_x
    arch = 1 - np.minimum((across / width) ** 2, 1)
    wide, tight, cheek, wrinkle = units["au5"], units["au7"], units["au6"], units["au9"]
    upper = eye_y - opening * (1 + 0.75 * wide - 0.45 * tight - 0.3 * cheek - 0.3 * wrinkle) * arch
    lower = eye_y + opening * 0.75 * (1 + 0.15 * wide - 0.55 * tight - 0.6 * cheek - 0.4 * wrinkle) * arch
    eye = soft(v - upper) * soft(lower - v) * soft(width - np.abs(across))
    canvas.paint(eye, 0.55 + 0.4 * _skin(block), 0.95)
    gaze = 0.05 * (block.scene["gaze"] - 0.5) * 2
    iris = soft(0.085 - np.sqrt((across - gaze) ** 2 + (v - eye_y) ** 2))
    canvas.paint(iris * eye, 0.05 + 0.25 * block.traits["iris"], 0.95)
    canvas.paint(canvas.stroke(upper, across, width, 0.02), canvas.dark, 0.8)
    bag = canvas.stroke(lower + (0.06 + 0.02 * cheek), across, width * 0.9, 0.018)
    canvas.paint(bag, canvas.dark, 0.12 + 0.35 * np.minimum(cheek + 0.5 * tight, 1))


def _cheek(canvas: Canvas, block: Block, side: int) -> None:
    """One nostril and the fold from it to the mouth, which units 9, 10 and 12 deepen."""
    units, v = block.units, canvas.v
    outward = side * canvas.u
    fold = soft(0.03 - np.abs(outward - 0.24 - (0.16 + 0.10 * units["au12"]) * (v - 0.2))) * soft(
        0.18 - np.abs(v - 0.32)
    )
    depth = units["au12"] * 0.7 + units["au10"] * 0.8 + units["au9"] * 0.4
    canvas.paint(fold, canvas.dark, 0.06 + 0.4 * np.minimum(depth, 1))
    across = outward - block.trait("nostril_x", 0.07, 0.12)
    down = v - block.trait("nostril_y", 0.20, 0.28) + 0.05 * units["au9"]
    canvas.paint(soft(0.055 - np.sqrt(across**2 + (down * 1.6) ** 2)), canvas.dark, 0.75)


def _nose(canvas: Canvas, block: Block) -> None:
    """The bridge and the lines around it: between the brows (4), on the nose (9), across the forehead (1, 2)."""
    units, u, v, dark = block.units, canvas.u, canvas.v, canvas.dark
    across, eye_y = np.abs(u), _eye_place(block)[1]
    frown = soft(0.02 - np.abs(across - 0.06)) * soft(0.09 - np.abs(v - (eye_y - 0.16)))
    canvas.paint(frown, dark, 0.55 * np.minimum(units["au4"], 1))
    wrinkles = soft(_waves(v - 0.02, 9, 0.25)) * soft(0.10 - np.abs(v - 0.03)) * soft(0.13 - across)
    canvas.paint(wrinkles, dark, 0.6 * np.minimum(units["au9"], 1))
    forehead = soft(_waves(v + 0.62, 8, 0.32)) * soft(0.12 - np.abs(v + 0.62)) * soft(0.36 - across)
    canvas.paint(forehead, dark, 0.45 * np.minimum(0.5 * (units["au1"] + units["au2"]), 1))
    bridge = u - 0.05 * np.sign(_light(block)[0]) - 0.07 * v
    canvas.paint(soft(0.02 - np.abs(bridge)) * soft(0.16 - np.abs(v - 0.08)), dark, 0.25)


def _waves(height: Floats, frequency: float, gap: float) -> Floats:
    """Parallel lines: positive on each of them."""
    return -(np.abs((height * frequency) % 1 - 0.5) - gap) * np.float32(0.12)


def _mouth(canvas: Canvas, block: Block) -> Floats:
    """Lips, the opening with its teeth, and the chin; return the opening's coverage."""
    units, u, v = block.units, canvas.u, canvas.v
    width = _mouth_width(block)
    middle = block.trait("mouth_y", 0.50, 0.58) - 0.05 * units["au10"] - 0.03 * units["au17"] + 0.03 * units["au26"]
    curve, arch = _mouth_curve(canvas, block, width, middle)
    opening = 0.03 * units["au25"] + 0.22 * units["au26"]
    opening = opening + 0.02 * units["au12"] * units["au25"] + 0.025 * units["au20"] * units["au25"]
    upper, lower = curve - (opening * 0.55 + 0.035 * units["au10"]) * arch, curve + opening * arch
    inside = soft(v - upper) * soft(lower - v) * soft(width - np.abs(u)) * np.minimum(opening * 25, 1)
    lip = block.trait("lip_thickness", 0.025, 0.05) * (1 - 0.55 * np.minimum(units["au23"], 1))
    red = _skin(block) * (0.55 + 0.2 * block.traits["lip_colour"])
    canvas.paint(canvas.stroke(upper - lip, u, width * 0.95, lip), red, 0.8)
    canvas.paint(canvas.stroke(lower + lip, u, width * 0.85, lip * 1.1), red, 0.8)
    canvas.paint(inside, 0.06, 0.95)
    _teeth(canvas, block, inside, upper)
    canvas.paint(canvas.stroke(curve, u, width, 0.018), canvas.dark, 0.8 * (1 - np.minimum(opening * 15, 1)))
    chin = soft(0.02 - np.abs(v - (middle + 0.2) + 0.25 * u**2)) * soft(0.16 - np.abs(u))
    canvas.paint(chin, canvas.dark, 0.5 * np.minimum(units["au17"], 1))
    return inside


def _mouth_width(block: Block) -> Floats:
    units = block.units
    stretch = 1 + 0.30 * units["au12"] + 0.35 * units["au20"] - 0.18 * units["au23"]
    return block.trait("mouth_width", 0.24, 0.32) * (stretch - 0.2 * units["au26"] + 0.1 * units["au14"])


def _mouth_curve(canvas: Canvas, block: Block, width: Floats, middle: Floats) -> tuple[Floats, Floats]:
    """Return the line between the lips, with one corner up for unit 14, and how far the lips may part along it."""
    units, along = block.units, canvas.u / width
    squared = np.minimum(along**2, 1.4)
    side = np.where(block.scene["mouth_side"] > 0.5, np.float32(1), np.float32(-1))
    corner = units["au14"] * np.clip(along * side, 0, 1.2) ** 2
    bend = -0.16 * units["au12"] + 0.15 * units["au15"] + 0.02 * units["au20"]
    return middle + bend * squared - 0.15 * corner, 1 - np.minimum(squared, 1)


def _teeth(canvas: Canvas, block: Block, inside: Floats, upper: Floats) -> None:
    units = block.units
    teeth = inside * soft(upper + (0.05 + 0.04 * units["au12"]) - canvas.v)
    shown = 0.4 * units["au25"] + 0.6 * units["au12"] + 0.6 * units["au20"] + 0.5 * units["au10"]
    canvas.paint(teeth, 0.75 + 0.15 * _skin(block), 0.8 * np.minimum(shown, 1))


def _beard(canvas: Canvas, block: Block, inside: Floats) -> None:
    beard = canvas.face * soft(canvas.v - 0.42 + 0.15 * np.abs(canvas.u)) * (1 - inside)
    canvas.paint(beard, _hair(block), np.float32(0.55) * (block.traits["fringe_tilt"] > 0.82))


def _glasses(canvas: Canvas, block: Block) -> None:
    eye_x, eye_y, _ = _eye_place(block)
    across, down = np.abs(canvas.u), canvas.v - eye_y
    rim = soft(0.022 - np.abs(np.sqrt((across - eye_x) ** 2 + down**2) - 0.23))
    bridge = soft(0.02 - np.abs(down)) * soft(0.15 - across)
    canvas.paint(np.maximum(rim, bridge), 0.08, np.float32(0.85) * (block.traits["fringe"] > 0.85))


def _occlusion(canvas: Canvas, block: Block) -> None:
    """Something held before some of the faces, with a straight edge."""
    scene = block.scene
    angle = scene["bar_angle"] * 6.283
    beyond = canvas.x * np.cos(angle) + canvas.y * np.sin(angle) - (0.35 + 0.5 * scene["bar_offset"])
    hidden = scene["occluded"] < 0.12 * block.hardness
    canvas.paint(soft(beyond), scene["bar_colour"], np.float32(0.95) * hidden)


def _photograph(image: Floats, block: Block) -> npt.NDArray[np.uint8]:
    """Return what a camera makes of it: gamma, contrast, brightness, blur and noise."""
    pose, scene, hardness = block.pose, block.scene, block.hardness
    image = np.clip(image, 0.02, 1) ** np.exp(0.25 * hardness * pose["gamma"])
    image = 0.5 + (image - 0.5) * np.exp(0.2 * hardness * pose["contrast"]) + 0.06 * hardness * pose["brightness"]
    blur = 0.25 * scene["blur"] * hardness
    image[:, 1:-1] = (1 - blur) * image[:, 1:-1] + blur * 0.5 * (image[:, :-2] + image[:, 2:])
    image[:, :, 1:-1] = (1 - blur) * image[:, :, 1:-1] + blur * 0.5 * (image[:, :, :-2] + image[:, :, 2:])
    image += block.noise * ((0.008 + 0.045 * scene["noise"] ** 2) * hardness)
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)

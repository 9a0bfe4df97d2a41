"""A long table's lines, put together here, are those that rich would draw."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from fersearch.cli.listing import Listing

TITLES = (">trial", "state", ">f1_macro", "parameters")
SHORT = [("7", Text("complete", style="green"), "0.5", "epochs 8"), ("12", "failed", "", "")]
LONG = [
    ("0", "complete", "≈0.25", "optimizer sgd, learning_rate 0.001, momentum 0.9, schéma 表情認識 of each, width 64"),
    ("4999", Text("pruned", style="yellow"), "0.123", "optimizer adam, learning_rate 0.0123456789, " + "x" * 70),
]


def drawn(listing: Listing, width: int, by_rich: bool) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)
    if by_rich:
        listing = Listing(
            listing.titles, [(*row[:-1], Text(row[-1] + " ", spans=[(0, 1, "")])) for row in listing.rows]
        )
    console.print(listing)
    return [line.rstrip() for line in console.file.getvalue().split("\n")]


@pytest.mark.parametrize("width", [20, 26, 30, 50, 60, 70, 80, 100, 120, 200, 1000])
@pytest.mark.parametrize("rows", [SHORT, LONG, SHORT + LONG])
def test_lines_equal_richs(rows, width):
    assert drawn(Listing(TITLES, rows), width, False) == drawn(Listing(TITLES, rows), width, True)


def test_a_cell_of_two_lines_is_left_to_rich():
    rows = [("1", "failed", "", "one\ntwo"), ("2", "failed", "", "three")]
    assert drawn(Listing(TITLES, rows), 100, False) == [
        "trial  state   f1_macro  parameters",
        "    1  failed            one",
        "                         two",
        "    2  failed            three",
        "",
    ]


def test_a_state_keeps_its_colour():
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard")
    console.print(Listing(TITLES, SHORT))
    assert "\x1b[32mcomplete\x1b[0m" in console.file.getvalue()
    assert "\x1b[1mstate\x1b[0m" in console.file.getvalue()

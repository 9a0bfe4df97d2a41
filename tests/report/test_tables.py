import csv
import io
import math

import pytest

from fersearch.report.tables import Spread, Table, number, text, to_csv, to_latex, to_markdown

TABLE = Table(
    "t",
    "50 % of a_b",
    ["Class", "F1 ↑", "n"],
    [["joy & hope|x", Spread(0.61234, 0.0123), 3], ["fear_1", 0.5, None]],
    frozenset({(0, 1)}),
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.12345, "0.1235"),
        (0.00012, "1.20e-04"),
        (12.345, "12.35"),
        (1234567, "1,234,567"),
        (2, "2"),
        (1500.4, "1,500"),
        (math.nan, "-"),
        (0.0, "0.0000"),
    ],
)
def test_numbers_have_the_digits_that_mean_something(value, written):
    assert number(value) == written


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        (Spread(0.61234, 0.0123), "0.612 ± 0.012"),
        (Spread(79.28, 2.13), "79.3 ± 2.1"),
        (Spread(0.5, math.nan), "0.5000"),
        (Spread(2.0, 0.0), "2.000 ± 0"),
        (Spread(0.5, 0.000001), "0.5000 ± 1.0e-06"),
        (True, "true"),
        (None, "-"),
        ("adam", "adam"),
    ],
)
def test_cells_as_a_person_reads_them(cell, written):
    assert text(cell) == written


def test_csv_keeps_every_digit_and_gives_deviations_a_column():
    rows = list(csv.reader(io.StringIO(to_csv(TABLE))))
    assert rows == [
        ["Class", "F1 ↑", "F1 ↑ std", "n"],
        ["joy & hope|x", "0.61234", "0.0123", "3"],
        ["fear_1", "0.5", "", ""],
    ]


def test_markdown_escapes_and_marks():
    lines = to_markdown(TABLE).splitlines()
    assert lines[0] == r"50 % of a\_b"
    assert lines[2:] == [
        "| Class | F1 ↑ | n |",
        "| --- | ---: | ---: |",
        r"| joy & hope\|x | **0.612 ± 0.012** | 3 |",
        r"| fear\_1 | 0.5000 | - |",
    ]


def test_latex_escapes_and_marks():
    written = to_latex(TABLE)
    assert r"\caption{50 \% of a\_b}\label{tab:t}" in written
    assert r"joy \& hope|x & \textbf{0.612 $\pm$ 0.012} & 3 \\" in written
    assert r"\begin{tabular}{lrr}" in written
    assert written.count(r"\begin{") == written.count(r"\end{")


def test_latex_shrinks_wide_tables_and_breaks_long_ones():
    wide = to_latex(Table("w", "c", list("abcdefghij"), [[1] * 10]))
    assert r"\resizebox{\linewidth}{!}{%" in wide
    long = to_latex(Table("l", "c", ["a"], [[i] for i in range(60)]))
    assert r"\begin{longtable}{r}" in long
    assert "longtable" in long.splitlines()[0]


def test_latex_escapes_every_letter_that_is_a_command():
    written = to_latex(Table("e", "c", ["x"], [["\\ { } ~ ^ # $ % & _ < >"]]))
    assert (
        r"\textbackslash{} \{ \} \textasciitilde{} \textasciicircum{} \# \$ \% \& \_ \textless{} \textgreater{}"
        in written
    )

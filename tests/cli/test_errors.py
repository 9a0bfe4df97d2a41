import errno
import os
import subprocess
import sys

import pytest
import typer

from fersearch import cli
from fersearch.cli import errors
from fersearch.errors import FersearchError, UsageError


def failing(error):
    def command():
        raise error

    return command


def test_an_error_is_a_message_and_an_indented_hint_on_standard_error(capsys):
    assert errors.guarded(failing(FersearchError("it broke", "do this\nand that"))) == 1
    assert capsys.readouterr() == ("", "error: it broke\n  do this\n  and that\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("wrong"), 2),
        (typer.Exit(3), 3),
        (SystemExit(4), 4),
        (SystemExit("text"), 1),
        (KeyboardInterrupt(), 130),
        (typer.Abort(), 130),
    ],
)
def test_every_end_has_its_exit_code(error, code):
    assert errors.guarded(failing(error)) == code


def test_a_command_returns_its_own_code_or_none():
    assert errors.guarded(lambda: None) == 0
    assert errors.guarded(lambda: 1) == 1


def test_an_unexpected_error_is_one_line_and_a_file_with_the_traceback(capsys, home):
    assert errors.guarded(failing(KeyError("x"))) == 1
    (file,) = (home / "logs").glob("crash-*.txt")
    messages = capsys.readouterr().err
    assert messages == f"error: a bug in fersearch: KeyError: 'x'\n  please report it with the traceback in {file}\n"
    assert "Traceback" in file.read_text()


def test_a_traceback_is_shown_only_on_request(capsys, monkeypatch):
    errors.guarded(failing(UsageError("wrong")))
    assert "Traceback" not in capsys.readouterr().err
    monkeypatch.setenv("FERSEARCH_DEBUG", "1")
    errors.guarded(failing(UsageError("wrong")))
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_full_disk_or_a_closed_folder_is_no_bug_of_ours(capsys, number, home):
    assert errors.guarded(failing(OSError(number, os.strerror(number), "/some/file"))) == 1
    assert capsys.readouterr().err.startswith(f"error: {os.strerror(number)}: /some/file\n")
    assert not home.exists()


def test_notices_come_before_the_error_they_explain(capsys):
    from fersearch import context

    context.notices.append("using plugin x.py")
    errors.guarded(failing(UsageError("wrong")))
    assert capsys.readouterr().err == "note: using plugin x.py\nerror: wrong\n"


def test_a_misspelt_flag_or_command_is_reported_with_the_likely_one(capsys):
    assert cli.run(["study", "creat"]) == 2
    assert "did you mean 'create'" in capsys.readouterr().err.lower()
    assert cli.run(["study", "create", "--modle", "cnn"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--modle" in err
    assert "--model" in err.replace("--modle", "")
    assert err.endswith("  try: fersearch study create --help\n")


@pytest.mark.parametrize("arguments", ["--help", "plugin list", "plugin list --json"])
def test_a_reader_who_left_is_no_error(arguments):
    code = f"import sys; from fersearch import cli; sys.argv = ['fersearch', *'{arguments}'.split()]; cli.main()"
    command = f'("{sys.executable}" -c "{code}"; echo "code $?" >&2) | exec 0<&-'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == "code 0\n"


def test_errors_and_notes_show_neither_control_characters_nor_passwords(capsys):
    from fersearch.context import notices

    notices.append("note of \x1b[2J")
    errors.guarded(failing(FersearchError("class 'a\x1b[31m\u202e'", "see postgresql://a:secret@h/x")))
    messages = capsys.readouterr().err
    assert messages == ("note: note of \\x1b[2J\nerror: class 'a\\x1b[31m\\u202e'\n  see postgresql://a:***@h/x\n")


def test_a_crash_file_holds_no_password(capsys, home):
    errors.guarded(failing(KeyError("postgresql://a:secret@h/x")))
    (file,) = (home / "logs").glob("crash-*.txt")
    assert "secret" not in file.read_text() + capsys.readouterr().err

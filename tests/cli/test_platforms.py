"""What works without what Windows lacks, and with its paths and its shell."""

import os
import re
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest
from click.testing import CliRunner

from pipeline.check import told_by
from pipeline.cli.completion import _PowerShell
from pipeline.cli.main import cli
from pipeline.cli.options import LOCATION
from pipeline.ingest import opening
from pipeline.lab.synthesize.capture import capture
from pipeline.storage.locations import is_uri
from schemas.kinds import DEPARTURE, REGISTRATION
from tests.cli import without_posix
from tests.conftest import TENANT

NEEDS = "this command needs Linux or macOS; check, inspect and explain run on Windows, others in WSL"
OPERATIONS = (Path(__file__).parents[2] / "pipeline" / "OPERATIONS.md").read_text(encoding="utf-8")


def elsewhere(*arguments, cwd, stdin=None):
    """The real command where there is nothing of POSIX's alone."""
    program = [sys.executable, without_posix.__file__, *map(str, arguments)]
    return subprocess.run(program, cwd=cwd, input=stdin, capture_output=True, text=True, check=False)


def test_help_and_explain_run_on_windows(tmp_path):
    done = elsewhere("--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    done = elsewhere("explain", "HASH_CHECKSUM", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_inspect_and_check_run_on_windows(world):
    device = world.factory.device()
    path = world.deliver("a.csv", {"Hardware Hash": capture(device)}, {"Group Tag": "x"})
    done = elsewhere("inspect", path, cwd=world.home)
    assert (done.returncode, done.stderr) == (0, "")
    assert device.serial in done.stdout
    done = elsewhere("check", path, "-", "--reference", "reference", cwd=world.home, stdin=path.read_text())
    assert (done.returncode, [line for line in done.stderr.splitlines() if not line.startswith("notice:")]) == (1, [])
    assert done.stdout.endswith("4 rows read = 0 accepted + 4 rejected\n")


def test_a_run_says_that_it_needs_another_system(world):
    done = elsewhere("run", "inbox", cwd=world.home)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {NEEDS}\n"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (rf"C:\intake\inbox\contoso\{TENANT}\may\a.csv", ("contoso", TENANT, REGISTRATION)),
        (rf"C:\intake\inbox\contoso\{TENANT}\departures\a.csv", ("contoso", TENANT, DEPARTURE)),
        (r"C:\intake\inbox\contoso\departures\a.csv", ("contoso", None, DEPARTURE)),
        (rf"\\server\share\contoso\{TENANT}\a.csv", ("contoso", TENANT, REGISTRATION)),
        (rf"C:\{TENANT}\a.csv", ("partner", TENANT, REGISTRATION)),
        (r"C:\a.csv", ("partner", None, REGISTRATION)),
    ],
)
def test_paths_of_windows_name_partner_tenant_and_kind(path, told):
    assert told_by(PureWindowsPath(path)) == told


@pytest.mark.parametrize("path", [r"C:\intake\inbox", "C:/intake/inbox", r"\\server\share", r"inbox\contoso"])
def test_paths_of_windows_are_no_uris(path):
    assert not is_uri(path)
    assert str(LOCATION.convert(path, None, None)) == path


@pytest.fixture
def nothing_opened_in_another(monkeypatch):
    monkeypatch.setattr(os, "supports_dir_fd", set())


def test_files_are_opened_without_links_where_folders_cannot_be_opened(tmp_path, nothing_opened_in_another):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    path = tmp_path / "in" / "deep" / "a.csv"
    path.write_bytes(b"x")
    with opening.open_regular(path, tmp_path) as file:
        assert file.read() == b"x"
    (tmp_path / "link.csv").symlink_to(path)
    (tmp_path / "folder").symlink_to(tmp_path / "in")
    os.mkfifo(tmp_path / "pipe")
    for wrong in ("link.csv", "folder/deep/a.csv", "in", "pipe"):
        with pytest.raises(OSError, match=r"no regular file|Is a directory"):
            opening.open_regular(tmp_path / wrong, tmp_path)
    with pytest.raises(FileNotFoundError):
        opening.open_regular(tmp_path / "nowhere", tmp_path)


def test_a_file_that_was_changed_for_another_is_not_read(tmp_path, nothing_opened_in_another, monkeypatch):
    path, other = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(b"x")
    other.write_bytes(b"secret")
    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda _, mode: opened(other, mode))
    with pytest.raises(OSError, match="no regular file"):
        opening.open_regular(path, tmp_path)


@pytest.mark.parametrize(
    ("words", "word", "answers"),
    [
        (["reg"], "reg", ["plain\tregistry\tLook after the existing device records."]),
        (
            ["registry", "sta"],
            "sta",
            ["plain\tstats\tCount the records, by tenant and by"],
        ),
        (["run", "--log-format"], "", ["plain\ttext\ttext", "plain\tjson\tjson"]),
        (["run", "--wait"], "--wait", ["plain\t--wait-days\t"]),
        (["init", "ni"], "ni", ["dir\tni\tni"]),
    ],
)
def test_powershell_is_answered_line_by_line(words, word, answers):
    asked = {"_AUTOPILOT_INTAKE_COMPLETE": "powershell_complete", "COMP_WORDS": "\n".join(["autopilot-intake", *words])}
    done = CliRunner(env=asked | {"COMP_CWORD": word}).invoke(cli, prog_name="autopilot-intake")
    lines = done.stdout.splitlines()
    assert len(lines) == len(answers)
    assert all(line.startswith(answer) for line, answer in zip(lines, answers, strict=True))


def test_an_empty_word_and_quotation_marks_are_no_words(monkeypatch):
    monkeypatch.setenv("COMP_WORDS", "autopilot-intake\ncheck\n'a b.csv'")
    monkeypatch.delenv("COMP_CWORD", raising=False)
    assert _PowerShell(cli, {}, "autopilot-intake", "_X").get_completion_args() == (["check", "a b.csv"], "")


def test_the_script_for_powershell_asks_as_it_is_answered():
    script = CliRunner().invoke(cli, ["completion", "powershell"]).stdout
    assert "-CommandName autopilot-intake" in script
    assert '$env:_AUTOPILOT_INTAKE_COMPLETE = "powershell_complete"' in script
    assert "%(" not in script
    assert script.count("{") == script.count("}")


def test_the_documents_name_the_platforms_of_each_command():
    table = OPERATIONS.split("| command | Linux, macOS | Windows |")[1].split("\n\n")[0]
    told = {name for line in table.splitlines()[2:] for name in re.findall(r"`([a-z]+)", line.split("|")[1])}
    assert told >= set(cli.commands)

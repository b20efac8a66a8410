import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from pipeline.cli import printing
from pipeline.cli.printing import shown, tell_document, tell_json
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from tests.cli.running import command
from tests.cli.test_commands import said
from tests.conftest import TENANT

HASH, TAG = INTUNE[2:4]
KEY = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"
WILD = "a\x1b[31m\x07\x9b\r\n\u202e"


@pytest.fixture
def delivered(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())}, {TAG: "x"})
    return world


def shell(line, cwd, **environment):
    """The real command in a shell that says where its output goes; its exit code and what else it said."""
    known = os.environ | {"INTAKE": f"{sys.executable} -m pipeline"} | environment
    done = subprocess.run(["/bin/bash", "-c", line], cwd=cwd, capture_output=True, text=True, check=False, env=known)
    return done.returncode, done.stdout, done.stderr


def published(world, run_id="r1"):
    return (world.home / "runs" / run_id / "run.json").exists()


def test_nothing_else_prints():
    for path in Path(printing.__file__).parents[1].rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not called & {"click.echo", "click.secho", "print", "sys.stdout.write", "sys.stderr.write"}, path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb\nc", "a\\x0db\\x0ac"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("\u202egnp", "\\u202egnp"),
        ("\udcff", "\\xff"),
        ("\ud800", "\\ud800"),
        ("é\t漢", "é\t漢"),
    ],
)
def test_controls_are_shown(text, expected):
    assert shown(text) == expected


def test_json_stays_what_it_was(capsys):
    tell_json({"a": WILD})
    told = capsys.readouterr().out
    assert json.loads(told) == {"a": WILD}
    assert shown(told, kept="\n") == told


def test_documents_have_escapes_of_their_own(capsys):
    tell_document("<a b='\x9b'/>\n", "&#x{:x};")
    assert capsys.readouterr().out == "<a b='&#x9b;'/>\n"


def test_no_value_reaches_the_terminal(world):
    device = world.factory.device()
    wild = world.put("wild\x1b]0;x\x07.csv", f"Hardware Hash\n{capture(device)[:40]}\x1b[2J\n".encode())
    world.put("contoso/\x1b[31m.csv/x.csv", b"x")
    (world.inbox / "contoso" / "\x1b[31m\n.csv").symlink_to("nowhere")
    record = {"tenant_id": TENANT, "partner_id": "contoso", "registered_via": "partner_center"}
    tuple_ = {"serial_number": "PF3WILD", "manufacturer": "LENOVO", "model": "T14\x9b[31m"}
    world.import_existing(record | tuple_)
    for arguments in [
        ("check", wild),
        ("check", wild, "--format", "json"),
        ("check", wild, "--format", "jsonl"),
        ("check", wild, "--format", "junit"),
        ("inspect", wild),
        ("registry", "find", "PF3WILD"),
        ("registry", "find", "\x1b[31m"),
        ("run", "inbox", "--run-id", "r1"),
        ("explain", "\x1b[31m"),
        ("run", "\x1b[31m"),
        ("runs", "show", "\x1b[31m"),
        ("doctor", "--output", "\x1b[31m"),
    ]:
        done = command(*arguments, cwd=world.home)
        for told in (done.stdout, done.stderr):
            assert shown(told, kept="\n") == told, arguments
        assert "this is a bug" not in done.stderr, arguments
    assert published(world)


def test_a_product_key_in_a_name_is_in_no_message(world):
    (world.inbox / f"{KEY}.csv").symlink_to("nowhere")
    done = command("run", "inbox", "--reference", KEY, cwd=world.home)
    assert done.returncode == 2
    assert KEY not in done.stderr
    assert KEY not in command("run", "inbox", "--log-format", "json", cwd=world.home).stderr


def test_a_full_standard_output_is_no_unpublished_run(delivered):
    done = command("run", "inbox", "--run-id", "r1", cwd=delivered.home, full=["stdout"])
    assert done.returncode == 0
    assert "No space left on device" in done.stderr
    assert "run r1 is published in" in done.stderr
    assert published(delivered)
    delivered.deliver(f"contoso/{TENANT}/b.csv", {TAG: "nothing"})
    limit = ("--max-reject-rate", "0.1")
    done = command("run", "inbox", "--run-id", "r2", *limit, cwd=delivered.home, full=["stdout"])
    assert (done.returncode, published(delivered, "r2")) == (1, True)


def test_a_full_standard_output_of_other_commands_is_a_fault(delivered):
    delivered.run()
    for line in ("$INTAKE explain", "$INTAKE registry stats", "$INTAKE --help"):
        code, _, told = shell(f"{line} > /dev/full", delivered.home)
        assert code == 3, line
        assert "No space left on device" in told
        assert "nothing of this run" not in told


@pytest.mark.parametrize("line", ["run inbox --run-id r1 --format jsonl", "explain", "--help", "runs list"])
def test_who_hears_enough_is_no_fault(delivered, line):
    code, _, told = shell(f"set -o pipefail; $INTAKE {line} | head -c 0", delivered.home)
    assert (code, said(told)) == (0, [])


def test_a_full_disk_of_the_log_ends_nothing(delivered):
    (delivered.inbox / "link.csv").symlink_to("nowhere")
    for form in ("text", "json"):
        asked = ("run", "inbox", "--run-id", form, "--log-format", form)
        assert command(*asked, cwd=delivered.home, full=["stderr"]).returncode == 0
        assert published(delivered, form)
    assert shell("$INTAKE run nowhere 2> /dev/full", delivered.home)[0] == 2


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("where", ["pipeline.runs.pages.write_history", "pipeline.cli.run._tell"])
def test_an_interrupt_after_the_run_does_not_deny_it(delivered, where, form):
    with patch(where, side_effect=KeyboardInterrupt):
        done = command("run", "inbox", "--run-id", "r1", "--log-format", form, cwd=delivered.home)
    assert done.returncode == 0
    assert "interrupted; run r1 is published" in done.stderr
    assert published(delivered)


def test_an_interrupt_before_it_says_so(delivered):
    with patch("pipeline.flow.decide", side_effect=KeyboardInterrupt):
        done = command("run", "inbox", "--run-id", "r1", cwd=delivered.home)
    assert done.returncode == 3
    assert "run r1 is not published" in done.stderr
    assert not published(delivered)


def test_bugs_leave_their_frames_and_no_values(delivered):
    for form in ("text", "json"):
        with patch("pipeline.flow.decide", side_effect=ValueError("a secret")):
            done = command("run", "inbox", "--log-format", form, cwd=delivered.home)
        assert done.returncode == 3
        assert "pipeline/flow.py:" in done.stderr
        assert "in _run" in done.stderr
        assert "secret" not in done.stderr


NO_TEXT = "\udcff"
"""What Python makes of the byte 0xff."""


@pytest.mark.parametrize(
    ("line", "environment"),
    [
        (["run", "inbox", "--run-id", ""], {}),
        (["run", "inbox", "--as-of", ""], {}),
        (["run", "inbox", "--as-of", "9999-12-31T23:59:59-01:00"], {}),
        (["run", "inbox", "--as-of", "0001-01-01T00:00:00+14:00"], {}),
        (["run", "inbox", "--run-id", NO_TEXT], {}),
        (["run", "inbox", "--output", NO_TEXT], {}),
        (["run", NO_TEXT], {}),
        (["check", f"{NO_TEXT}.csv"], {}),
        (["explain", NO_TEXT], {}),
        (["run", "inbox"], {"AUTOPILOT_INTAKE_OUTPUT": NO_TEXT}),
        (["run", "inbox", "--output", "s3:/night/runs"], {}),
        (["run", "inbox", "--output", "gs://night/runs"], {}),
        (["run", "inbox", "--config", "inbox/own.toml"], {}),
    ],
)
def test_bad_input_is_wrong_usage(delivered, line, environment):
    delivered.put("own.toml", b'output = "a\\u0000b"')
    done = command(*line, cwd=delivered.home, **environment)
    assert done.returncode == 2, done.stderr
    assert "bug" not in done.stderr
    assert sorted(path.name for path in delivered.home.iterdir()) == ["inbox", "reference"]


def test_bytes_that_are_no_text_are_wrong_usage_of_a_process_too(delivered):
    code, _, told = shell("AUTOPILOT_INTAKE_OUTPUT=$'\\xff' $INTAKE run $'\\xff'", delivered.home)
    assert (code, "bug" in told) == (2, False)


def test_the_last_moment_there_is_can_be_decided_at(delivered):
    done = command("run", "inbox", "--run-id", "r1", "--as-of", "9999-12-31T23:59:59Z", cwd=delivered.home)
    assert (done.returncode, said(done.stderr)) == (0, [])

import csv
import json
import os
import pty
import subprocess
import sys

import polars as pl
import pytest
from click.testing import CliRunner

from pipeline.cli.main import cli, main
from pipeline.lab.evaluate import summarize
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import recaptured
from pipeline.lab.synthesize.night import INTUNE
from schemas.reasons import CATALOGUE
from schemas.registry import IMPORT_COLUMNS
from tests.cli.running import command, process
from tests.conftest import TENANT

HASH, TAG, _ = INTUNE[2:]


def read_terminal(handle):
    """What is left to read; a terminal whose other end is closed says so by an error."""
    try:
        return os.read(handle, 1 << 16)
    except OSError:
        return b""


@pytest.fixture
def delivered(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())}, {TAG: "x"})
    return world


def said(text):
    """What is said on standard error, but which optional tables are not there."""
    return [line for line in text.splitlines() if "csv: not found; " not in line]


def test_run_prints_the_result_and_nothing_else(delivered):
    done = process("run", "inbox", "--run-id", "r1", cwd=delivered.home)
    assert (done.returncode, said(done.stderr)) == (0, [])
    assert done.stdout.splitlines() == [
        "run r1: 1 files, 2 rows read = 0 settled + 1 registered + 0 deregistered + 1 rejected (1 invalid; 0 wait)",
        "          1  IDENTITY_MISSING",
        "  partner contoso: 1 of 2 rejected, most IDENTITY_MISSING",
        (
            f"next: hand each partner its folder below {delivered.home}/runs/r1/report; "
            "`autopilot-intake explain IDENTITY_MISSING`"
        ),
        f"report: {delivered.home}/runs/r1/report/index.html",
    ]


def test_progress_shows_on_a_terminal_and_only_there(delivered):
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "inbox"],
        cwd=delivered.home,
        stdout=subprocess.PIPE,
        stderr=slave,
        env=environment,
        text=True,
    ) as done:
        os.close(slave)
        shown = b"".join(iter(lambda: read_terminal(master), b""))  # while it runs: a full terminal would stop it
        told = done.stdout.read()
    os.close(master)
    assert done.returncode == 0
    assert b"\x1b[" in shown
    assert b"starting" in shown or b"ingest" in shown
    assert told.startswith("run ")
    assert "\x1b" not in told


def test_run_prints_what_run_json_holds(delivered):
    done = command("run", "inbox", "--run-id", "r1", "--format", "json", cwd=delivered.home)
    assert json.loads(done.stdout) == json.loads((delivered.home / "runs" / "r1" / "run.json").read_text())


def test_a_run_id_again_says_so_and_is_done(delivered):
    command("run", "inbox", "--run-id", "r1", cwd=delivered.home)
    done = command("run", "inbox", "--run-id", "r1", cwd=delivered.home)
    assert done.returncode == 0
    assert "committed before" in done.stderr


def test_too_many_rejected_rows_are_an_exit_code(delivered):
    for rate, code in (("0.4", 1), ("0.5", 0)):
        where = ("--run-id", f"r{code}", "--registry", f"registry{code}", "--create-registry")
        done = command("run", "inbox", *where, "--max-reject-rate", rate, cwd=delivered.home)
        assert done.returncode == code
        assert (delivered.home / "runs" / f"r{code}" / "run.json").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "nowhere"], "inbox nowhere: not a folder"),
        (["run", "inbox", "--as-of", "yesterday"], "expected RFC 3339"),
        (["run", "inbox", "--as-of", "2026-01-01T00:00:00"], "has no time zone"),
        (["run", "inbox", "--run-id", ".x"], "run id '.x'"),
        (["run", "inbox", "--run-id", "dry-run"], "run id 'dry-run'"),
        (["run", "inbox", "--output", "inbox/out"], "lies inside the inbox"),
        (["run", "inbox", "--registry", "typo"], "a new one is made by `run --create-registry`"),
        (["run", "inbox", "--reference", "nowhere"], "reference folder nowhere: not found"),
        (["run", "inbox", "--engine", "abacus"], "abacus"),
        (["run", "inbox", "--max-reject-rate", "2"], "--max-reject-rate"),
        (["rnu"], "No such command 'rnu'"),
        (["explain", "AUTH_PENDIN"], "did you mean AUTH_PENDING?"),
        (["explain", "board"], "did you mean BOARD_REPLACED?"),
        (["registry", "stats", "--registry", "nowhere"], "registry nowhere: not found"),
        (["registry", "import", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_wrong_usage_exits_2_and_leaves_nothing(delivered, arguments, told):
    done = command(*arguments, cwd=delivered.home)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert not (delivered.home / "runs").exists()
    assert not (delivered.home / "typo").exists()


def test_broken_reference_data_exits_2(delivered):
    delivered.reference("partners.csv", "partner_id\ncontoso\n")
    done = command("run", "inbox", cwd=delivered.home)
    assert done.returncode == 2
    assert "partners.csv:1: column name: not found" in done.stderr


def test_a_registry_that_is_none_exits_3(delivered):
    (delivered.home / "registry").mkdir()
    (delivered.home / "registry" / "letters.txt").write_text("x")
    done = command("run", "inbox", cwd=delivered.home)
    assert done.returncode == 3
    assert "holds something else" in done.stderr


def test_settings_come_from_flags_before_environment_before_file(delivered):
    settings = ['run-id = "by-file"', "max_reject_rate = 0.1", "as-of = 2026-01-15T02:00:00Z", "reprocess = true"]
    (delivered.home / "intake.toml").write_text("\n".join(settings))
    assert "by-file" in command("run", "inbox", cwd=delivered.home).stdout
    variable = {"AUTOPILOT_INTAKE_RUN_ID": "by-environment"}
    assert "by-environment" in command("run", "inbox", cwd=delivered.home, **variable).stdout
    assert "by-flag" in command("run", "inbox", "--run-id", "by-flag", cwd=delivered.home, **variable).stdout


@pytest.mark.parametrize("text", ["colour = 1\n", "run-id = \n"])
def test_a_configuration_that_is_wrong_exits_2(delivered, text):
    (delivered.home / "own.toml").write_text(text)
    done = command("run", "inbox", "--config", "own.toml", cwd=delivered.home)
    assert done.returncode == 2
    assert "configuration own.toml" in done.stderr


def test_check_tells_file_line_and_remedy_and_writes_nothing(delivered):
    path = delivered.inbox / "contoso" / TENANT / "a.csv"
    before = sorted(delivered.home.rglob("*"))
    done = command("check", path, "--partner", "contoso", "--tenant", TENANT, cwd=delivered.home)
    assert done.returncode == 1
    assert f"{path}:3: IDENTITY_MISSING: {CATALOGUE['IDENTITY_MISSING'].sentence}" in done.stdout
    assert done.stdout.endswith("2 rows read = 1 accepted + 1 rejected\n")
    assert sorted(delivered.home.rglob("*")) == before


def test_check_looks_at_authorization_and_registry_only_where_named(delivered):
    device = delivered.factory.device()
    path = delivered.deliver("stranger/a.csv", {HASH: capture(device)})
    delivered.import_existing({"tenant_id": TENANT, "registered_via": "intune", "hardware_hash": capture(device)})
    asked = ("check", path, "--partner", "stranger", "--tenant", TENANT, "--format", "json")
    assert command(*asked, cwd=delivered.home).returncode == 0
    found = json.loads(command(*asked, "--registry", "registry", cwd=delivered.home).stdout)
    assert found["findings"][0]["reasons"] == ["REGISTERED_BY_CUSTOMER"]
    found = json.loads(command(*asked, "--reference", "reference", cwd=delivered.home).stdout)
    assert found["findings"][0]["reasons"][0] == "FILE_PARTNER_UNKNOWN"


def test_inspect_reads_a_hash_however_it_is_given(world):
    device = world.factory.device()
    whole = capture(device)
    (world.home / "oa3.xml").write_text(f"<Key>\n<HardwareHash>{whole}</HardwareHash>\n</Key>")
    (world.home / "hash.txt").write_text("\n".join(whole[at : at + 64] for at in range(0, 4000, 64)), encoding="utf-16")
    world.deliver("x.csv", {}, {TAG: "x"}, {HASH: whole})
    for arguments, stdin in (
        ([whole], None),
        (["-"], whole),
        (["oa3.xml"], None),
        (["hash.txt"], None),
        (["inbox/x.csv", "--row", "2"], None),
    ):
        done = command("inspect", *arguments, "--format", "json", cwd=world.home, stdin=stdin)
        assert done.returncode == 0, (arguments, done.stderr)
        assert json.loads(done.stdout)["identity"]["hash_serial_number"] == device.serial
    assert device.serial in command("inspect", whole, cwd=world.home).stdout
    inspect = [sys.executable, "-m", "pipeline", "inspect", "-"]
    wide = subprocess.run(inspect, input=whole.encode("utf-16"), capture_output=True, check=True)
    assert device.serial.encode() in wide.stdout


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (OSError(28, "No space left on device", "/full"), "/full: No space left on device"),
        (KeyboardInterrupt(), "interrupted"),
        (ValueError("a secret"), "this is a bug (ValueError at "),
        (type("PanicException", (BaseException,), {})("a secret"), "this is a bug (PanicException at "),
    ],
    ids=["OSError", "KeyboardInterrupt", "ValueError", "PanicException"],
)
def test_every_fault_is_exit_code_3_and_tells_no_data(delivered, monkeypatch, capsys, fault, told):
    def fail(*_):
        raise fault

    monkeypatch.setattr("pipeline.flow.inbox_at", fail)
    monkeypatch.setattr(sys, "argv", ["autopilot-intake", "run", str(delivered.inbox)])
    with pytest.raises(SystemExit) as done:
        main()
    shown = capsys.readouterr()
    assert done.value.code == 3
    assert told in shown.err
    assert "secret" not in shown.err
    assert shown.out == ""


def test_inspect_says_what_is_wrong(world):
    done = command("inspect", capture(world.factory.device())[:500], cwd=world.home)
    assert done.returncode == 1
    assert "HASH_TRUNCATED" in done.stdout


def test_registry_commands(world):
    device = world.factory.device()
    rows = [
        f"{TENANT},contoso,partner_center,,,,,{capture(device)},,2025-06-01T00:00:00Z",
        f"{TENANT},contoso,partner_center,SN100,HP,M1,,,,",
        f"{TENANT},contoso,partner_center,SN100,HP,,,,,",
        f"{TENANT},contoso,fax,SN200,HP,M1,,,,",
        "nope,contoso,intune,SN300,HP,M1,,,,",
        f"{TENANT},contoso,intune,SN400,HP,M1,,,,soon",
        f"{TENANT},contoso,intune,Default string,HP,M1,,,,",
    ]
    header = ",".join(IMPORT_COLUMNS)
    (world.home / "existing.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    done = command("registry", "import", "existing.csv", cwd=world.home)
    assert done.returncode == 1
    assert [line.split(":")[1] for line in done.stdout.splitlines()[:-1]] == ["5", "6", "7", "8"]
    assert done.stdout.splitlines()[-1] == "2 imported, 0 changed, 0 restored, 1 unchanged, 4 refused"
    again = json.loads(command("registry", "import", "existing.csv", "--format", "json", cwd=world.home).stdout)
    assert (again["imported"], again["changed"], again["restored"], again["unchanged"]) == (0, 0, 0, 3)
    assert [one["line"] for one in again["refused"]] == [5, 6, 7, 8]
    assert again["listed"] == []
    stats = json.loads(command("registry", "stats", "--format", "json", cwd=world.home).stdout)
    assert (stats["version"], stats["registered"], stats["identity"]) == (1, 2, {"hash": 1, "tuple": 1})
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(device)})
    matched = world.run().rejected["matched_device_id"][0]
    done = command("registry", "remove", matched, "--reason", "returned", cwd=world.home)
    assert (done.returncode, done.stdout) == (0, "1 removed\n")
    assert command("registry", "remove", matched, "--reason", "again", cwd=world.home).stdout == "0 removed\n"
    assert command("registry", "remove", "stranger", "--reason", "x", cwd=world.home).returncode == 2
    world.deliver(f"contoso/{TENANT}/b.csv", {HASH: capture(recaptured(device, world.factory))}, {TAG: "x"})
    assert world.run().registered.height == 1


def test_a_device_is_found_by_serial_and_id_with_its_history(world):
    device = world.factory.device()
    world.import_existing(
        {"tenant_id": TENANT, "registered_via": "partner_center", "hardware_hash": capture(device)},
        {"tenant_id": TENANT, "registered_via": "intune", "windows_product_id": "3305123456789"},
    )
    found = json.loads(command("registry", "find", device.serial.lower(), "--format", "json", cwd=world.home).stdout)
    assert [one["state"] for one in found] == ["registered"]
    device_id = found[0]["device_id"]
    command("registry", "remove", device_id, "--reason", "returned", cwd=world.home)
    compacted = json.loads(command("registry", "compact", "--format", "json", cwd=world.home).stdout)
    assert (compacted["files_before"], compacted["files_after"]) == (2, 1)
    found = json.loads(command("registry", "find", device_id.upper(), "--format", "json", cwd=world.home).stdout)
    assert [(one["state"], one["removal_reason"]) for one in found] == [("removed", "returned")]
    told = json.loads(command("registry", "history", device.serial, "--format", "json", cwd=world.home).stdout)
    assert [one["event"] for one in told] == ["registered", "removed"]
    row = {"tenant_id": TENANT, "registered_via": "partner_center", "serial_number": device.serial, "group_tag": "new"}
    row |= {"manufacturer": device.maker}
    with (world.home / "again.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, IMPORT_COLUMNS)
        writer.writeheader()
        writer.writerow(row)
    refused = command("registry", "import", "again.csv", "--reference", "reference", cwd=world.home)
    assert refused.returncode == 1
    assert f"again.csv:2: refused: was registered as device {device_id}" in refused.stdout
    restored = command("registry", "import", "again.csv", "--restore", cwd=world.home)
    assert (restored.returncode, restored.stdout) == (
        0,
        "0 imported, 0 changed, 1 restored, 0 unchanged, 0 refused\n",
    )
    found = json.loads(command("registry", "find", device.serial, "--format", "json", cwd=world.home).stdout)
    assert [(one["device_id"], one["state"], one["group_tag"], one["removed_at"]) for one in found] == [
        (device_id, "registered", "new", None)
    ]
    told = json.loads(command("registry", "history", device_id, "--format", "json", cwd=world.home).stdout)
    assert [one["event"] for one in told] == ["registered", "removed", "restored"]
    nothing = command("registry", "find", "stranger", cwd=world.home)
    assert (nothing.returncode, nothing.stdout) == (1, "stranger: not in the registry registry\n")


def test_a_new_working_folder_runs_and_is_looked_at(tmp_path):
    assert command("init", "night", cwd=tmp_path).returncode == 0
    home = tmp_path / "night"
    well = command("doctor", cwd=home)
    assert (well.returncode, well.stdout.count("ok  ")) == (0, 8)
    assert command("run", "--run-id", "first", cwd=home).returncode == 0
    assert command("runs", "list", cwd=home).stdout.split()[1:4] == ["first", "0", "rows"]
    shown = json.loads(command("runs", "show", "first", "--format", "json", cwd=home).stdout)
    assert shown == json.loads((home / "runs" / "first" / "run.json").read_text())
    assert command("runs", "show", "first", cwd=home).stdout.startswith("run first: 0 files")
    assert command("runs", "show", "second", cwd=home).returncode == 2
    assert command("registry", "verify", "--output", "runs", cwd=home).returncode == 0
    assert command("init", "night", cwd=tmp_path).returncode == 2
    nowhere = command("run", cwd=tmp_path)
    assert (nowhere.returncode, "Missing argument" in nowhere.stderr) == (2, True)


def test_doctor_says_what_is_wrong(tmp_path):
    command("init", "night", cwd=tmp_path)
    (tmp_path / "night" / "reference" / "partners.csv").write_text("name\n")
    (tmp_path / "night" / "registry").mkdir()
    (tmp_path / "night" / "registry" / "letters.txt").write_text("something else")
    done = command("doctor", "--format", "json", cwd=tmp_path / "night")
    assert done.returncode == 1
    assert [one["check"] for one in json.loads(done.stdout) if not one["ok"]] == ["reference", "registry"]


def test_config_show_tells_where_settings_come_from(tmp_path):
    (tmp_path / "intake.toml").write_text("workers = 3\ngroup-tag-limit = 64\n")
    done = command("config", "show", "--format", "json", cwd=tmp_path, AUTOPILOT_INTAKE_GROUP_TAG_LIMIT="32")
    told = {one["setting"]: (one["value"], one["origin"]) for one in json.loads(done.stdout)}
    assert told["workers"] == (3, "file intake.toml")
    assert told["group-tag-limit"] == (32, "environment AUTOPILOT_INTAKE_GROUP_TAG_LIMIT")
    assert told["dry-run"] == (False, "default")


def test_evaluate_tells_tables(monkeypatch):
    types = dict.fromkeys(("scenario", "truth", "outcome", "named_by"), pl.String)
    types |= dict.fromkeys(("has_hash", "fits", "is_departure", "is_meant"), pl.Boolean)
    rows = [
        ("twins", None, "duplicate", "hash", True, False, False, None),
        ("twins", None, None, "hash", True, True, False, None),
        ("leaves", "deregistered", "deregistered", "hash", True, True, True, False),
    ]
    rated = summarize(pl.DataFrame(rows, types, orient="row"))
    monkeypatch.setattr("pipeline.lab.evaluate.evaluate", lambda *_: rated)
    told = CliRunner().invoke(cli, ["evaluate"]).output.splitlines()
    assert told[1].split() == ["twins", "registered", "2", "1", "1", "0", "0.00000", "-", "-"]
    assert told[5].split() == ["all", "2", "1", "1", "0.00000", "-", "-", "0.00000"]
    assert told[8].split() == ["leaves", "deregistered", "1", "0", "1", "1", "0"]
    assert told[-1].split() == ["all", "1", "0", "1", "1", "0"]


def test_explain_tells_everything():
    for code, reason in CATALOGUE.items():
        told = CliRunner().invoke(cli, ["explain", code.lower()])
        assert told.exit_code == 0
        assert reason.sentence in told.output
        assert reason.remedy in told.output
    assert all(code in CliRunner().invoke(cli, ["explain"]).output for code in CATALOGUE)
    assert len(json.loads(CliRunner().invoke(cli, ["explain", "--format", "json"]).output)) == len(CATALOGUE)


def test_synthesize_is_the_same_for_the_same_seed(tmp_path):
    for name, start in (("one", command), ("two", process)):
        done = start("synthesize", name, "--rows", "1", "--existing", "5", "--seed", "9", cwd=tmp_path)
        assert done.returncode == 0
    files = [
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    ]
    assert files[0] == files[1]
    assert command("synthesize", "one", cwd=tmp_path).returncode == 2


def test_help_loads_nothing_heavy():
    heavy = "{'polars', 'pandera', 'pyarrow', 'deltalake', 'numpy', 'rich', 'jinja2', 'obstore', 'rapidfuzz', "
    heavy += "'prometheus_client', 'importlib.metadata', 'email', 'socket', 'difflib', 'tomllib', 'xlsxwriter'}"
    script = f"import sys; from pipeline.cli.main import cli; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

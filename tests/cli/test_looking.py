"""Commands with which people look at findings, hashes, reasons and reports."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from schemas.reasons import CATALOGUE
from tests.cli.running import command
from tests.cli.test_commands import read_terminal, said
from tests.conftest import OTHER_TENANT, TENANT

HASH, TAG = INTUNE[2:4]
HOME_OF_COMMANDS = Path(sys.executable).parent


@pytest.fixture
def delivered(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())}, {TAG: "=x"})
    world.deliver(f"contoso/{TENANT}/b.csv", {TAG: "y"})
    return world


def test_check_tells_column_found_expected_and_fix(delivered):
    path = delivered.inbox / "contoso" / TENANT / "a.csv"
    done = command("check", path, "--tenant", TENANT, cwd=delivered.home)
    lines = done.stdout.splitlines()
    at = lines.index(f"{path}:3: FORMULA_CELL: {CATALOGUE['FORMULA_CELL'].sentence}")
    assert lines[at + 1] == "    Group Tag: found '=x', expected a value that begins with none of = + - @"
    assert lines[at + 2] == f"    fix: {CATALOGUE['FORMULA_CELL'].remedy}"


def test_check_reads_standard_input_and_several_files(delivered):
    paths = sorted(delivered.inbox.rglob("*.csv"))
    text = paths[0].read_text()
    alone = command("check", "-", "--tenant", TENANT, "--format", "json", cwd=delivered.home, stdin=text)
    assert {one["source_file"] for one in json.loads(alone.stdout)["findings"]} == {"-"}
    both = command("check", *paths, "-", "--tenant", TENANT, "--format", "json", cwd=delivered.home, stdin=text)
    told = json.loads(both.stdout)
    assert told["rows"]["read"] == 5
    assert {one["source_file"] for one in told["findings"]} == {*map(str, paths), "-"}
    assert all(len(one["details"]) == len(one["reasons"]) + len(one["warnings"]) for one in told["findings"])


@pytest.mark.parametrize("asked", [("run", "inbox"), ("check", "inbox/contoso/{}/a.csv", "inbox/contoso/{}/b.csv")])
def test_findings_come_in_the_formats_of_other_programs(delivered, asked):
    asked = [word.format(TENANT) for word in asked]
    told = {
        form: command(*asked, "--format", form, cwd=delivered.home, AUTOPILOT_INTAKE_REPROCESS="1")
        for form in ("jsonl", "junit", "sarif")
    }
    assert [said(done.stderr) for done in told.values()] == [[], [], []]
    lines = [json.loads(line) for line in told["jsonl"].stdout.splitlines()]
    assert {line["code"] for line in lines} >= {"FORMULA_CELL", "IDENTITY_MISSING"}
    assert ET.fromstring(told["junit"].stdout).get("failures") == "2"  # noqa: S314 - made here
    assert json.loads(told["sarif"].stdout)["version"] == "2.1.0"


def test_check_takes_folders_and_knows_by_them_whose_the_files_are(delivered):
    delivered.put(f"contoso/{TENANT}/.part/left.csv", b"nothing")
    delivered.put(f"contoso/{TENANT}/devices.zip", b"PK")
    delivered.put("loose.csv", b"Device Serial Number,Windows Product ID,Hardware Hash\n,3305123456789,\n")
    done = command("check", "inbox", cwd=delivered.home)
    assert done.returncode == 1
    assert f"inbox/contoso/{TENANT}/devices.zip:0: FILE_TYPE_UNKNOWN" in done.stdout
    assert "left.csv" not in done.stdout
    assert said(done.stderr) == [
        "notice: inbox/loose.csv: whose devices these are is unknown, and not checked; name the customer with --tenant"
    ]
    *_, total = done.stdout.splitlines()
    assert total.endswith(" rejected")
    assert "          1  FILE_TYPE_UNKNOWN" in done.stdout.splitlines()


def test_inspect_shows_identities_in_part_and_marks_them(world):
    device = world.factory.device()
    hash_ = capture(device)
    told = json.loads(command("inspect", hash_, "--format", "json", cwd=world.home).stdout)
    whole = json.loads(command("inspect", hash_, "--unmask", "--format", "json", cwd=world.home).stdout)
    assert told["identity"]["hash_serial_number"] == whole["identity"]["hash_serial_number"] == device.serial
    for name in ("smbios_uuid", "tpm_ek_id"):
        assert told["identity"][name] == f"{whole['identity'][name][:2]}***{whole['identity'][name][-2:]}"
    for name in ("mac_addresses", "disk_serials"):
        for secret in whole["identity"][name]:
            assert secret not in json.dumps(told)
            assert secret in json.dumps(whole)
    marked = {record["name"] for record in told["records"] if record["identity"]}
    assert {"tpm_key", "smbios_uuid", "system_serial", "network_adapter"} <= marked
    assert "memory" not in marked
    text = command("inspect", hash_, cwd=world.home).stdout
    assert [line for line in text.splitlines() if line.startswith("*")]


def test_explain_tells_the_reasons_of_a_run(delivered):
    command("run", "inbox", "--run-id", "r1", cwd=delivered.home)
    told = json.loads(command("explain", "--run", "r1", "--format", "json", cwd=delivered.home).stdout)
    assert {one["code"]: one["rows"] for one in told} == {
        "IDENTITY_MISSING": 2,
        **{one["code"]: one["rows"] for one in told if one["outcome"] is None},
    }
    assert "2 rows: IDENTITY_MISSING (identity)" in command("explain", "--run", "r1", cwd=delivered.home).stdout
    missing = command("explain", "--run", "r2", cwd=delivered.home)
    assert (missing.returncode, "not published" in missing.stderr) == (2, True)


def test_report_makes_pages_anew(delivered):
    for run_id in ("r1", "r2"):
        command("run", "inbox", "--run-id", run_id, cwd=delivered.home)
    output = delivered.home / "runs"
    pages = sorted(output.rglob("index.html"))
    assert len(pages) == 5
    before = {page: page.read_text() for page in pages}
    for page in pages:
        page.unlink()
    assert command("report", cwd=delivered.home).stdout == "runs/index.html: 2 runs; 0 pages of 0 runs made anew\n"
    assert command("report", "r2", cwd=delivered.home).stdout.endswith("2 pages of 1 runs made anew\n")
    assert sorted(output.rglob("index.html")) == [page for page in pages if "r1" not in page.parts]
    assert command("report", "--all", cwd=delivered.home).returncode == 0
    assert {page: page.read_text() for page in pages} == before
    assert command("report", "r3", cwd=delivered.home).returncode == 2


def test_report_of_an_output_that_is_not_there_is_wrong_usage(tmp_path):
    missing = command("report", cwd=tmp_path)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "output runs: not found; name the folder of published runs with --output" in missing.stderr
    (tmp_path / "runs").mkdir()
    assert command("report", cwd=tmp_path).stdout == "runs/index.html: 0 runs; 0 pages of 0 runs made anew\n"


def test_a_mistyped_command_or_option_is_met_with_the_right_one(delivered):
    assert "Did you mean 'check'?" in command("chekc", cwd=delivered.home).stderr
    assert "'--reference'" in command("run", "inbox", "--refrence", "x", cwd=delivered.home).stderr


def test_a_check_on_a_terminal_shows_nothing_but_its_result(delivered):
    master, slave = pty.openpty()
    path = delivered.inbox / "contoso" / TENANT / "a.csv"
    arguments = [sys.executable, "-m", "pipeline", "check", str(path), "--tenant", TENANT]
    subprocess.run(arguments, cwd=delivered.home, stdout=slave, stderr=slave, check=False)
    os.close(slave)
    shown = b"".join(iter(lambda: read_terminal(master), b"")).decode()
    os.close(master)
    assert shown.rstrip().endswith("2 rows read = 1 accepted + 1 rejected")
    assert "Traceback" not in shown


COMPLETED = {
    "bash": """
        source <(autopilot-intake completion bash)
        COMP_WORDS=(autopilot-intake reg); COMP_CWORD=1
        _autopilot_intake_completion autopilot-intake; printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        compdef() { :; }; _describe() { print -l ${(P)3} }
        source <(autopilot-intake completion zsh)
        words=(autopilot-intake reg); CURRENT=2
        _autopilot_intake_completion
    """,
    "fish": "autopilot-intake completion fish | source; complete -C 'autopilot-intake reg'",
}


@pytest.mark.parametrize("shell", COMPLETED)
def test_shells_complete_commands(shell, tmp_path):
    if shutil.which(shell) is None and "CI" not in os.environ:
        pytest.skip(f"no {shell} on this machine")
    path = f"{HOME_OF_COMMANDS}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "HOME": str(tmp_path)}
    done = subprocess.run([shell, "-c", COMPLETED[shell]], capture_output=True, text=True, env=environment, check=False)
    assert [line.split("\t")[0].split(":")[0] for line in done.stdout.splitlines() if line] == ["registry"], done.stderr


def codes(done):
    return [(row["source_line"], row["reasons"]) for row in json.loads(done.stdout)["findings"] if row["reasons"]]


def test_a_check_finds_an_empty_tenant_cell_as_a_run_does(world):
    hashes = [capture(world.factory.device()) for _ in range(2)]
    text = f"Hardware Hash,Tenant ID\n{hashes[0]},\n{hashes[1]},{TENANT}\n".encode()
    for place in (world.put("a.csv", text), world.put(f"contoso/{TENANT}/a.csv", text)):
        for options in ((), ("--tenant", TENANT)):
            done = command("check", place, *options, "--format", "json", cwd=world.home)
            assert codes(done) == [(2, ["TENANT_MISSING"])]
    assert world.run().reasons()[f"contoso/{TENANT}/a.csv", 2] == ["TENANT_MISSING"]


def test_a_check_takes_tenant_and_partner_from_the_folders(delivered):
    device = delivered.factory.device()
    record = {"tenant_id": TENANT, "partner_id": "contoso", "registered_via": "partner_center"}
    delivered.import_existing(record | {"hardware_hash": capture(device)})
    row = {HASH: capture(device)}
    here = ("--registry", "registry", "--reference", "reference", "--format", "json")
    for path, options, expected in [
        (f"contoso/{TENANT}/deep/x.csv", (), ["ALREADY_REGISTERED"]),
        (f"contoso/{OTHER_TENANT}/x.csv", (), ["REGISTERED_OTHER_TENANT"]),
        (f"contoso/{OTHER_TENANT}/x.csv", ("--tenant", TENANT), ["ALREADY_REGISTERED"]),
        (f"stranger/{TENANT}/x.csv", (), ["FILE_PARTNER_UNKNOWN", "AUTH_NO_RELATIONSHIP"]),
        (f"stranger/{TENANT}/x.csv", ("--partner", "contoso"), ["ALREADY_REGISTERED"]),
    ]:
        place = delivered.deliver(path, row)
        name = place.relative_to(delivered.home) if options else place
        assert codes(command("check", name, *here, *options, cwd=delivered.home)) == [(2, expected)], path
    place = delivered.deliver("x.csv", row)
    loose = command("check", place, "--registry", "registry", "--format", "json", cwd=delivered.home)
    assert codes(loose) == [(2, ["ALREADY_REGISTERED"])]

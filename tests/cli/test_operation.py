"""What schedulers and monitoring see of the nightly job."""

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from tests.cli.running import command
from tests.conftest import TENANT

HASH, TAG = INTUNE[2:4]
OPERATIONS = (Path(__file__).parents[2] / "pipeline" / "OPERATIONS.md").read_text(encoding="utf-8")


@pytest.fixture
def delivered(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())}, {TAG: "x"})
    return world


def events(done):
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_json_log_tells_stages_result_and_seconds(delivered):
    done = command("run", "inbox", "--run-id", "r1", "--log-format", "json", cwd=delivered.home)
    told = events(done)
    assert {event["run_id"] for event in told} == {"r1"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"]) for event in told)
    stages = [event["stage"] for event in told if event["event"] == "stage"]
    alone = ["depart", "match", "decide", "publish", "report", "commit"]
    assert stages == ["ingest", *alone]
    manifest = json.loads((delivered.home / "runs" / "r1" / "run.json").read_text())
    assert sorted(manifest["seconds"]) == sorted(["ingest", "decode", "validate", "authorize", *alone])
    assert told[-1]["event"] == "finished"
    assert told[-1]["rows"] == manifest["rows"]
    assert told[-1]["seconds"] == manifest["seconds"]
    again = events(command("run", "inbox", "--run-id", "r1", "--log-format", "json", cwd=delivered.home))
    assert again[-1]["repeated"] is True


@pytest.mark.parametrize(
    ("break_it", "kind", "code"),
    [
        (lambda world: world.reference("partners.csv", "name\n"), "ReferenceDataError", 2),
        (lambda world: (world.home / "registry").write_text("x"), "RegistryError", 3),
    ],
)
def test_a_json_log_tells_what_ended_the_run(delivered, break_it, kind, code):
    break_it(delivered)
    done = command("run", "inbox", "--run-id", "r1", "--log-format", "json", cwd=delivered.home)
    assert (done.returncode, done.stdout) == (code, "")
    failed = events(done)[-1]
    assert (failed["level"], failed["event"], failed["error"], failed["exit_code"]) == ("error", "failed", kind, code)


def test_metrics_are_those_of_the_run_and_replaced_at_once(delivered):
    path = delivered.home / "intake.prom"
    for _ in range(2):
        assert command("run", "inbox", "--metrics", path, cwd=delivered.home).returncode == 0
    families = {family.name: family for family in text_string_to_metric_families(path.read_text())}
    rows = {sample.labels["set"]: sample.value for sample in families["autopilot_intake_rows"].samples}
    assert rows == {"settled": 0, "registered": 0, "deregistered": 0, "rejected": 0}
    skipped = {sample.labels["disposition"]: sample.value for sample in families["autopilot_intake_files"].samples}
    assert skipped["already_processed"] == 1
    assert families["autopilot_intake_registry_version"].samples[0].value == 2
    assert families["autopilot_intake_finished_timestamp_seconds"].samples[0].value > 1.7e9
    assert [name.name for name in delivered.home.iterdir() if name.name.startswith("intake.prom")] == ["intake.prom"]


def test_metrics_that_cannot_be_written_do_not_undo_a_run(delivered):
    done = command("run", "inbox", "--run-id", "r1", "--metrics", "nowhere/intake.prom", cwd=delivered.home)
    assert done.returncode == 0
    assert "notice: metrics nowhere/intake.prom" in done.stderr
    assert (delivered.home / "runs" / "r1" / "run.json").exists()


def others_may(path):
    return stat.S_IMODE(path.stat().st_mode) & 0o077


def test_what_is_published_belongs_to_its_owner_unless_shared(delivered):
    before = os.umask(0o022)
    command("run", "inbox", "--run-id", "own", cwd=delivered.home)
    command("run", "inbox", "--run-id", "shared", "--shared", cwd=delivered.home)
    os.umask(before)
    own = [delivered.home / "runs" / "own", *(delivered.home / "runs" / "own").rglob("*")]
    assert len(own) > 10
    assert [path for path in own if others_may(path)] == []
    assert others_may(delivered.home / "registry") == 0
    shared = delivered.home / "runs" / "shared"
    assert all(others_may(path) for path in (shared, *shared.rglob("*")))


def test_the_documented_units_are_sound(tmp_path):
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("no systemd on this machine")
    units = re.findall(r"```ini\n# /etc/systemd/system/(\S+)\n(.*?)```", OPERATIONS, re.DOTALL)
    assert [name for name, _ in units] == ["autopilot-intake.service", "autopilot-intake.timer"]
    for name, text in units:
        (tmp_path / name).write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text))
    told = subprocess.run(
        [verify, "verify", *(tmp_path / name for name, _ in units)], capture_output=True, text=True, check=False
    )
    assert [line for line in told.stderr.splitlines() if "autopilot-intake" in line] == []


def test_too_many_rejected_rows_are_said_to_be(delivered):
    done = command("run", "inbox", "--run-id", "r1", "--max-reject-rate", "0.4", cwd=delivered.home)
    assert done.returncode == 1
    assert "1 of 2 rows decided for the first time were rejected" in done.stderr
    again = command("run", "inbox", "--run-id", "r2", "--max-reject-rate", "0", cwd=delivered.home)
    assert again.returncode == 0


def test_a_json_log_tells_the_exit_code_and_why(delivered):
    options = ("--log-format", "json", "--max-reject-rate", "0.4")
    finished = events(command("run", "inbox", "--run-id", "r1", *options, cwd=delivered.home))[-1]
    assert (finished["event"], finished["exit_code"], finished["level"]) == ("finished", 1, "warning")
    assert "decided for the first time were rejected" in finished["message"]
    finished = events(command("run", "inbox", "--run-id", "r2", *options, cwd=delivered.home))[-1]
    assert finished["exit_code"] == 0

"""Figures for monitoring, and the rules for alerts that are documented beside them."""

import json
import random
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.cli.main import cli
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory
from pipeline.lab.synthesize.night import INTUNE
from pipeline.report.metrics import FIGURES, MOST_PARTNERS, NOBODY, OTHERS, PREFIX, write_failure, write_metrics
from tests.conftest import AS_OF, TENANT, make_world

OPERATIONS = (Path(__file__).parents[2] / "pipeline" / "OPERATIONS.md").read_text(encoding="utf-8")
RULES = re.search(r"```yaml\n# /etc/prometheus/rules/.*?\n(.*?)```", OPERATIONS, re.DOTALL)[1]
EXPRESSIONS = dict(re.findall(r"- alert: (\w+)\n +expr: (.+)", RULES))
DAY = timedelta(days=1)


def figures(path):
    """By metric and labels what a file holds."""
    return {
        (sample.name.removeprefix(PREFIX), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(path.read_text(encoding="utf-8"))
        for sample in family.samples
    }


def ringing(path, before, after=DAY):
    """The alerts that ring some time after a run has left a file of metrics, and another one the night before."""
    finished = figures(path).get(("finished_timestamp_seconds",), 0)
    files = {"": path.read_text(encoding="utf-8"), " offset 1d": before.read_text(encoding="utf-8")}

    def value(match):
        _, name, label, wanted, offset = match.groups()
        samples = next(one.samples for one in text_string_to_metric_families(files[offset or ""]) if one.name == name)
        found = [one.value for one in samples if not label or re.fullmatch(wanted, one.labels[label])]
        return repr({"sum": sum, "max": max}[match[1]](found))

    told = {}
    for alert, expression in EXPRESSIONS.items():
        filled = re.sub(r'(sum|max)\((\w+)(?:\{(\w+)=~?"([^"]*)"\})?( offset 1d)?\)', value, expression)
        filled = re.sub(r"absent\((\w+)\)", lambda name: repr(f"\n{name[1]}" not in files[""]), filled)
        told[alert] = eval(filled.replace("time()", repr(finished + after.total_seconds())), {})  # noqa: S307 - the document's own
    return {alert for alert, rings in told.items() if rings}


def publish(world, path, run_id, as_of):
    result = world.run(run_id=run_id, as_of=as_of).result
    report = json.loads((result.folder / "report" / "report.json").read_text(encoding="utf-8"))
    write_metrics(path, result.manifest, report, 0, as_of)


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Files of metrics of a night with something of everything, and of one with nothing new."""
    home = tmp_path_factory.mktemp("metrics")
    world = make_world(home, Factory(random.Random(1)))
    stranger = "11111111-2222-4333-8444-555555555555"
    world.deliver(f"contoso/{TENANT}/a.csv", {INTUNE[2]: capture(world.factory.device())}, {INTUNE[2]: "x"})
    world.deliver(f"contoso/{stranger}/b.csv", {INTUNE[2]: capture(world.factory.device())})
    (world.inbox / "contoso" / "list.pdf").write_text("x")
    (world.inbox / "nobody.csv").write_text("x")
    first, quiet = home / "first.prom", home / "quiet.prom"
    publish(world, first, "first", AS_OF)
    publish(world, quiet, "quiet", AS_OF + 3 * DAY)
    return first, quiet


def test_a_run_is_told_in_figures(nights):
    told = figures(nights[0])
    assert {name for name, *_ in told} == {figure.name for figure in FIGURES}
    assert told["rejected_rows", "unauthorized", "contoso", "AUTH_NO_RELATIONSHIP"] == 1
    assert told["rejected_rows", "invalid", NOBODY, "FILE_PARTNER_UNKNOWN"] == 1
    assert told["partner_rows", "contoso", "registered"] == 1
    assert told["files_not_read", "contoso"] == 1
    assert told["files", "not_a_manifest"] == 1
    assert (told["waiting_rows", "contoso"], told["open_rows", "contoso"]) == (1, 3)
    assert told["oldest_open_row_age_seconds",] == 0
    assert figures(nights[1])["oldest_open_row_age_seconds",] == 3 * 86400


def test_a_quiet_night_rings_no_alert(nights):
    first, quiet = nights
    assert ringing(quiet, first) == set()
    assert ringing(quiet, quiet) == set()


def test_what_is_new_or_missing_rings(nights, tmp_path):
    first, quiet = nights
    failed, nothing = tmp_path / "failed.prom", tmp_path / "nothing.prom"
    failed.write_bytes(quiet.read_bytes())
    write_failure(failed, 3, AS_OF + 4 * DAY)
    assert ringing(failed, quiet) == {"IntakeFailed"}
    assert ringing(first, quiet) == {"IntakeRejectsMuch", "IntakeFilesNotRead"}
    assert ringing(first, first) == {"IntakeRejectsMuch"}
    assert ringing(quiet, quiet, timedelta(hours=27)) == {"IntakeDidNotRun"}
    old = tmp_path / "old.prom"
    old.write_text(re.sub(r"(open_row_age_seconds) [\d.e+]+\n", rf"\1 {81 * 86400}\n", quiet.read_text()))
    assert ringing(old, old) == {"IntakeRowEndsSoon"}
    write_failure(nothing, 2, AS_OF)
    assert figures(nothing) == {("exit_code",): 2, ("attempted_timestamp_seconds",): AS_OF.timestamp()}


def test_a_failure_keeps_what_the_last_run_told(nights, tmp_path):
    path = tmp_path / "intake.prom"
    path.write_bytes(nights[0].read_bytes())
    for _ in range(2):
        write_failure(path, 3, AS_OF + DAY)
    changed = {("exit_code",): 3, ("attempted_timestamp_seconds",): (AS_OF + DAY).timestamp()}
    assert figures(path) == figures(nights[0]) | changed
    path.write_bytes(b"\xff{{")
    write_failure(path, 3, AS_OF)
    assert figures(path)["exit_code",] == 3


def counted(partner_id, read):
    rows = dict.fromkeys(("settled", "registered", "deregistered", "rejected", "waiting"), 0) | {"read": read}
    files = dict.fromkeys(("processed", "empty", "already_processed", "unreadable", "found"), 0)
    return {"partner_id": partner_id, "files": files, "rows": rows, "reasons": {}}


def test_partners_are_bounded_and_any_name_is_a_label(tmp_path):
    odd = 'a"b\\c\nd {}é,='
    partners = [counted(odd, 900), counted(None, 800), *(counted(f"p{at:03}", 300 - at) for at in range(150))]
    run = {
        "partners": partners,
        "files": counted("", 0)["files"],
        "rows": dict.fromkeys((*partners[0]["rows"], "structure", "first_time", "first_time_rejected"), 0),
        "seconds": {},
        "registry_version": {"after": 1},
        "as_of": AS_OF.isoformat(),
        "finished_at": AS_OF.isoformat(),
    }
    own = [{"partner_id": one["partner_id"], "unfixed": {"rows": 1}} for one in partners]
    report = {"partners": own, "unfixed": {"rows": 160, "oldest": None}}
    write_metrics(tmp_path / "m.prom", run, report, 1, AS_OF)
    told = figures(tmp_path / "m.prom")
    labels = {key[1] for key in told if key[0] == "waiting_rows"}
    assert {odd, NOBODY, OTHERS, "p000", "p097"} <= labels
    assert (len(labels), "p098" in labels) == (MOST_PARTNERS + 1, False)
    assert told["open_rows", OTHERS] == 160 - MOST_PARTNERS


def test_alerts_name_metrics_and_labels_that_exist():
    labels = {PREFIX + figure.name: figure.labels for figure in FIGURES}
    assert len(EXPRESSIONS) == RULES.count("alert:") == RULES.count("summary:")
    for expression in EXPRESSIONS.values():
        named = re.findall(rf"({PREFIX}\w+)(?:\{{(\w+)=)?", expression)
        assert named
        assert all(name in labels and (not label or label in labels[name]) for name, label in named)


def test_the_rules_are_well_formed(tmp_path):
    yaml = pytest.importorskip("yaml")
    (group,) = yaml.safe_load(RULES)["groups"]
    assert [rule["alert"] for rule in group["rules"]] == list(EXPRESSIONS)
    promtool = shutil.which("promtool")
    if promtool:
        (tmp_path / "rules.yml").write_text(RULES)
        subprocess.run([promtool, "check", "rules", tmp_path / "rules.yml"], check=True, capture_output=True)


def test_a_run_that_fails_says_so_in_its_metrics(world, tmp_path, monkeypatch):
    monkeypatch.chdir(world.home)
    (world.home / "reference" / "partners.csv").write_text("name\n")
    path = tmp_path / "m.prom"
    with pytest.raises(Exception, match=r"partners\.csv"):
        cli.main(["run", "inbox", "--metrics", str(path)], standalone_mode=False)
    assert figures(path)["exit_code",] == 2

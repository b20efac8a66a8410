import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.cli.main import cli
from tests.architecture.test_project import commands
from tests.browser.chromium import browser
from tests.conftest import TENANT

pytestmark = pytest.mark.benchmark

PARTNERS = 200
HEADER = "Device Serial Number,Windows Product ID,Manufacturer name,Device model,Group Tag,Assigned User\n"
# A row for each of several reasons; {} is its number.
REJECTED = (
    "SN{:09d},,HP,,,\n",
    "SN{:09d},,Hp,EliteBook,,\n",
    ",1{:09d},,,,\n",
    "SN{:09d},,HP,EliteBook,,nobody\n",
    "SN{:09d},,HP,EliteBook,=x,\n",
    "To be filled by O.E.M.,,HP,EliteBook {},,\n",
    ",,,, sales{} ,\n",
    "SN{:09d},,HP\n",
    "SN{:09d},,HP,EliteBook,,someone@elsewhere.example\n",
)
SCRIPT = """
import json, pathlib, sys, time
from pipeline import RunConfig, run

def peak(): return int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024

class Watch:
    def notice(self, text): pass
    def reading(self, files, size): pass
    def read(self, files, size, rows): pass
    def stage(self, name):
        if name == "report":
            pathlib.Path("/proc/self/clear_refs").write_text("5")
            self.before, self.begun, self.used = peak(), time.perf_counter(), time.process_time()

watch = Watch()
result = run(RunConfig.beside(pathlib.Path("inbox"), run_id=sys.argv[1]), watch)
told = {"report": time.perf_counter() - watch.begun, "cpu": time.process_time() - watch.used}
told |= {"before": watch.before, "peak": peak(), **result.manifest["rows"]}
print(json.dumps(result.manifest["seconds"] | told))
"""


def make_inbox(home, rows, partners=PARTNERS):
    (home / "reference").mkdir()
    names = [f"partner-{number:03d}" for number in range(partners)]
    (home / "reference" / "partners.csv").write_text(
        "partner_id,name,partner_type,channel,region,provider_id\n"
        + "".join(f"{name},,direct_csp,partner_center_csv,EU,\n" for name in names)
    )
    (home / "reference" / "authorizations.csv").write_text(
        "partner_id,tenant_id,status,granted_at,revoked_at\n"
        + "".join(f"{name},{TENANT},active,2024-01-01T00:00:00Z,\n" for name in names)
    )
    (home / "reference" / "tenants.csv").write_text(
        f"tenant_id,region,cloud,verified_domains\n{TENANT},EU,public,contoso.example\n"
    )
    for number, name in enumerate(names):
        lines = (REJECTED[at % len(REJECTED)].format(number * rows + at) for at in range(rows // partners))
        path = home / "inbox" / name / TENANT / "night.csv"
        path.parent.mkdir(parents=True)
        path.write_text(HEADER + "".join(lines))


def run(home, run_id):
    done = subprocess.run([sys.executable, "-c", SCRIPT, run_id], cwd=home, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def seconds_to_load(path):
    with browser() as chromium:
        page = chromium.new_page()
        page.goto(path.as_uri())
        return page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000


def test_a_report_of_many_rejected_rows(tmp_path, request, capsys):
    make_inbox(tmp_path, request.config.getoption("--rows"))
    told = run(tmp_path, "first")
    report = tmp_path / "runs" / "first" / "report"
    pages = [report / "index.html", *sorted(report.glob("*/index.html"))]
    sizes = {page: page.stat().st_size / 2**20 for page in pages}
    largest = max(pages[1:], key=sizes.get)
    loads = {page: seconds_to_load(page) for page in (pages[0], largest)}
    with capsys.disabled():
        print(f"\n{told['rejected']:,} rejected rows of {PARTNERS} partners: {told}")
        print(f"report {told['report']:.1f} s, {told['peak'] - told['before']:,.0f} MB above {told['before']:,.0f} MB")
        for page in (pages[0], largest):
            print(f"{page.parent.name}: {sizes[page]:.2f} MB, loads in {loads[page]:.2f} s")
    assert len(pages) == PARTNERS + 1
    assert max(sizes.values()) <= 2


def test_a_history_of_a_thousand_runs(tmp_path, capsys):
    make_inbox(tmp_path, PARTNERS)
    run(tmp_path, "run-0000")
    manifest = json.loads((tmp_path / "runs" / "run-0000" / "run.json").read_text())
    for number in range(1, 1_000):
        copy = tmp_path / "runs" / f"run-{number:04d}"
        copy.mkdir()
        (copy / "run.json").write_text(json.dumps(manifest | {"run_id": copy.name}))
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pipeline", "report"], cwd=tmp_path, check=True, capture_output=True)
    took = time.perf_counter() - begun
    page = Path(tmp_path / "runs" / "index.html")
    with capsys.disabled():
        print(f"\n1,000 runs of {PARTNERS} partners: history in {took:.1f} s, {page.stat().st_size / 2**20:.2f} MB")
    assert page.stat().st_size <= 2 * 2**20


def test_help_is_quick(capsys):
    took = {}
    for name in ("", *(name for name, _ in commands(cli))):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "pipeline", *name.split(), "--help"], check=True, capture_output=True)
        took[name] = time.perf_counter() - begun
    with capsys.disabled():
        print(f"\n--help of {len(took)} commands: {min(took.values()):.2f} to {max(took.values()):.2f} s")

import copy
import json

import pytest

from pipeline.errors import Fault
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import with_tpm
from pipeline.lab.synthesize.night import INTUNE
from pipeline.report import rebuild_pages, write_history
from pipeline.report.pages import render
from tests.conftest import TENANT

SERIAL, PRODUCT_ID, HASH, TAG, USER = INTUNE
STRANGER = "33333333-3333-4333-8333-333333333333"
SNAPSHOTS = "tests/report/snapshots"
CLOCK = {"started_at": "2026-01-15T02:00:00Z", "finished_at": "2026-01-15T02:00:07Z"}


@pytest.fixture
def night(world):
    """A run with something in every section."""
    device = world.factory.device()
    record = {"tenant_id": TENANT, "partner_id": "contoso", "registered_via": "partner_center"}
    leaving = {"serial_number": "PF1A2B3C", "manufacturer": "LENOVO", "model": "T14"}
    world.import_existing(record | {"hardware_hash": capture(device)}, record | leaving)
    world.deliver(f"contoso/{TENANT}/first.csv", {PRODUCT_ID: "3305123456789", TAG: "=x"}, {TAG: "y"})
    world.run()
    world.deliver(
        f"contoso/{TENANT}/second.csv",
        {HASH: capture(with_tpm(device, world.factory))},
        {HASH: capture(world.factory.device()).rstrip("="), TAG: " sales"},
        {PRODUCT_ID: "3305123456789", USER: "nobody"},
        {PRODUCT_ID: "3305123456780"},
    )
    world.deliver(f"contoso/{STRANGER}/third.csv", {PRODUCT_ID: "3305123456781"})
    world.put(f"contoso/{TENANT}/departures/out.csv", b"PF1A2B3C\nPF1A2B3D\n")
    return world.run()


def content(night, partner=""):
    """What a page shows, with a clock that stands still."""
    report = json.loads((night.result.folder / "report" / partner / "report.json").read_text())
    report |= CLOCK
    for point in report["trend"]:
        point["finished_at"] = CLOCK["finished_at"]
    if "seconds" in report:
        report["seconds"] = dict.fromkeys(report["seconds"], 1.0)
    return report


@pytest.mark.parametrize("partner", ["", "contoso"])
def test_pages_are_as_they_were(night, partner, request):
    path = request.config.rootpath / SNAPSHOTS / f"{partner or 'run'}.html"
    page = render(content(night, partner))
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(page, encoding="utf-8")
        pytest.fail(f"{path} was not there and is written; read it, and keep it if it is as it should be")
    assert page == path.read_text(encoding="utf-8")


def test_every_section_is_there(night):
    page = render(content(night))
    for title in (
        "Partners",
        "Departures",
        "Reasons",
        "Rejected rows",
        "From night to night",
        "Missing authorization, by tenant",
        "Matching",
        "Review cases",
        "Warnings",
        "What we changed",
        "Files",
        "Timings",
    ):
        assert f">{title}</h" in page


def test_what_was_delivered_is_never_markup(night):
    report = copy.deepcopy(content(night))
    evil = "<img src=x onerror=alert(1)>"
    for row in report["rejected_rows"]["listed"]:
        row |= {"source_file": evil, "found": evil, "serial": evil}
    report["per_file"][0]["source_file"] = evil
    report["partners"][0]["partner_id"] = evil
    page = render(report)
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_a_page_loads_nothing_and_allows_only_its_own_style_and_script(night):
    for partner in ("", "contoso"):
        page = render(content(night, partner))
        assert "default-src 'none'" in page
        assert "unsafe-inline" not in page
        assert " src=" not in page
        assert "http" not in page.split("</head>")[1].replace("http-equiv", "")
        assert " style=" not in page


def test_pages_are_rebuilt_from_their_report_alone(night):
    report = night.result.folder / "report"
    pages = {path: path.read_text() for path in report.glob("**/index.html")}
    for path in pages:
        path.write_text("old")
    assert rebuild_pages(night.result.folder) == len(pages) == 2
    assert {path: path.read_text() for path in pages} == pages
    assert sorted(path.name for path in report.iterdir() if path.name.startswith(".")) == []


def test_a_report_of_another_version_is_left_alone(night):
    path = night.result.folder / "report" / "report.json"
    page = path.with_name("index.html").read_text()
    path.write_text(json.dumps({"report_version": 1}))
    with pytest.raises(Fault, match="is not what this version wrote"):
        rebuild_pages(night.result.folder)
    assert path.with_name("index.html").read_text() == page


def test_the_history_lists_the_latest_runs_first(world, night):
    page = (night.result.folder.parent / "index.html").read_text()
    assert page.index('href="run-2/report/index.html"') < page.index('href="run-1/report/index.html"')
    manifest = night.manifest
    write_history(world.home, [manifest | {"run_id": f"r{at:04d}"} for at in range(1_200)], 1_200)
    page = (world.home / "index.html").read_text()
    assert "1,200 runs; the last 1,000 are listed" in page
    assert "r0199" not in page
    assert "r0200" in page


def test_a_history_of_nothing_says_so(tmp_path):
    write_history(tmp_path, [], 0)
    assert "No run was published yet." in (tmp_path / "index.html").read_text()

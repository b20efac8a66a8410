import copy
import json
import random
import re
import shutil

import pytest

from pipeline.errors import Fault
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory, with_tpm
from pipeline.lab.synthesize.night import INTUNE
from pipeline.report import Neighbours, link_to_next, rebuild_pages, write_history
from pipeline.report.pages import render
from tests.conftest import TENANT, make_world

SERIAL, PRODUCT_ID, HASH, TAG, USER = INTUNE
STRANGER = "33333333-3333-4333-8333-333333333333"
SNAPSHOTS = "tests/report/snapshots"
CLOCK = {"started_at": "2026-01-15T02:00:00Z", "finished_at": "2026-01-15T02:00:07Z"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"), Factory(random.Random(20260115)))


@pytest.fixture(scope="module")
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
        "Reasons and rows",
        "Departures",
        "What remains of departures",
        "From night to night",
        "Missing authorization, by customer",
        "Matching",
        "Warnings",
        "What we changed",
        "Files",
        "Timings",
    ):
        assert f">{title}</h" in page
    assert '<details id="cases"><summary>Review cases: 1 of 1' in page


def test_what_was_delivered_is_never_markup(night):
    report = copy.deepcopy(content(night))
    evil = "<img src=x onerror=alert(1)>"
    for row in report["rejected_rows"]["listed"]:
        row |= {
            "source_file": evil,
            "found": evil,
            "meant": evil[:-1],
            "expected": evil,
            "remedy": evil,
            "serial": evil,
        }
    report["per_file"][0]["source_file"] = evil
    report["remaining"]["listed"][0] |= {"serial": evil, "tenant_id": evil, "device_id": evil}
    report["partners"][0] |= {"partner_id": evil, "name": evil, "downloads": [{"file": evil, "rows": 1}]}
    report["tenant_names"] = dict.fromkeys(report["tenant_names"], evil)
    page = render(report, Neighbours(evil, evil))
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_steps_are_told_device_by_device(night):
    for partner, who in (("", "customer"), ("contoso", "your customer")):
        page = render(content(night, partner))
        device = page.split("PF***3C")[1].split("</tr>")[0]
        told = re.findall(r'<li><span class="(\w+)">. (\w+):</span> ([^<]*) <span class="quiet">([^<]*)</span>', device)
        assert [shown for _, shown, _, _ in told] == ["open", "open", "done", "open", "open", "open"]
        assert told[0] == ("open", "open", "Delete the device from Intune", who)
        assert "5 steps are open for 1 device that left" in page


def test_a_report_of_before_there_were_steps_makes_its_page(night):
    report = content(night)
    del report["remaining"]
    assert "What remains" not in render(report)


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
        path.chmod(0o640)
    assert rebuild_pages(night.result.folder, Neighbours("run-1")) == len(pages) == 2
    assert {path: path.read_text() for path in pages} == pages
    assert {path.stat().st_mode & 0o777 for path in pages} == {0o640}
    assert sorted(path.name for path in report.iterdir() if path.name.startswith(".")) == []


def test_a_report_of_another_version_is_left_alone(night, tmp_path):
    run = shutil.copytree(night.result.folder, tmp_path / "run")
    path = run / "report" / "report.json"
    page = path.with_name("index.html").read_text()
    path.write_text(json.dumps({"report_version": 1}))
    with pytest.raises(Fault, match="is not what this version wrote"):
        rebuild_pages(run)
    assert path.with_name("index.html").read_text() == page


def test_the_history_lists_the_latest_runs_first(night, tmp_path):
    page = (night.result.folder.parent / "index.html").read_text()
    assert page.index('href="run-2/report/index.html"') < page.index('href="run-1/report/index.html"')
    manifest = night.manifest
    write_history(tmp_path, [manifest | {"run_id": f"r{at:04d}"} for at in range(1_200)], 1_200)
    page = (tmp_path / "index.html").read_text()
    assert "1,200 runs; the last 1,000 are listed" in page
    assert "Earlier runs (900)" in page
    assert "r0199" not in page
    assert "r0200" in page


def test_a_history_of_nothing_says_so(tmp_path):
    write_history(tmp_path, [], 0)
    assert "No run was published yet." in (tmp_path / "index.html").read_text()


def test_runs_lead_to_each_other(world, night):
    output = night.result.folder.parent
    first, second = ((output / name / "report" / "index.html").read_text() for name in ("run-1", "run-2"))
    assert 'rel="next" href="../../run-2/report/index.html"' in first
    assert 'rel="prev"' not in first
    assert 'rel="prev" href="../../run-1/report/index.html"' in second
    assert 'rel="next"' not in second
    assert "../../index.html" in second
    assert '"../' not in (output / "run-2" / "report" / "contoso" / "index.html").read_text()
    dry = world.run(dry_run=True, run_id="dry")
    page = (dry.result.folder / "report" / "index.html").read_text()
    assert 'rel="prev" href="../../../run-2/report/index.html"' in page


def test_a_run_that_an_earlier_version_wrote_is_not_linked_anew(tmp_path):
    old = tmp_path / "old" / "report"
    old.mkdir(parents=True)
    (old / "report.json").write_text(json.dumps({"report_version": 1}))
    assert link_to_next(tmp_path, ["old", "new"]) is None
    assert link_to_next(tmp_path, ["gone", "new"]) is None
    assert link_to_next(tmp_path, ["new"]) is None


def test_a_partner_s_page_links_what_lies_beside_it(night):
    folder = night.result.folder / "report" / "contoso"
    names = [path.name for path in folder.iterdir() if path.name not in ("index.html", "report.json")]
    report = content(night, "contoso")
    assert sorted(one["file"] for one in report["downloads"]) == sorted(names)
    made = [{"file": name, "rows": 2} for name in ("a&b.csv", "errors-00001.csv", "resubmit.xlsx")]
    page = render(report | {"downloads": made})
    links = ['"resubmit.xlsx">resubmit.xlsx</a> 2 rows: your', '"errors-00001.csv">', '"a%26b.csv">']
    assert all(f"<a href={link}" in page for link in links)
    assert sorted(links, key=page.index) == links


def test_the_receipt_holds_registrations_alone(night):
    report = content(night, "contoso")
    rows = {one["file"]: one["rows"] for one in report["downloads"]}
    assert report["rows"]["deregistered"] == 1
    assert rows["registered.csv"] == report["rows"]["registered"]


def test_an_outcome_that_is_new_to_the_pages_stands_on_them(night):
    report = content(night)
    report["rows"] |= {"deregistered": 7}
    report["outcomes"] |= {"not_registered": 3}
    report["trend"][-1]["deregistered"] = 7
    report["trend"][-1]["outcomes"] |= {"not_registered": 3}
    page = render(report)
    assert "+ 7 deregistered +" in page
    assert '<span class="tile"><b>7</b> deregistered</span>' in page
    assert "3 not registered" in page
    assert '<rect class="o-deregistered"' in page
    assert '<rect class="o-not_registered"' in page

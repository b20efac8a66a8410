import json
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from pipeline.report.findings import findings
from pipeline.report.formats import as_jsonl, as_junit, as_sarif, published_findings
from pipeline.report.gathering import gathered
from schemas.reasons import CATALOGUE
from tests.conftest import TENANT


def found(*rows):
    frame = pl.DataFrame(
        rows,
        {
            "source_file": pl.String,
            "source_line": pl.UInt32,
            "reasons": pl.List(pl.String),
            "warnings": pl.List(pl.String),
        },
        orient="row",
    )
    return findings(frame)


PARTS = [
    found(("b c.csv", 2, ["TENANT_MISSING", "FORMULA_CELL"], []), ("b c.csv", 0, ["FILE_UNREADABLE"], [])),
    found(("a.csv", 7, [], ["VALUE_TRIMMED"]), ("b c.csv", 9, ["TENANT_MISSING"], ["VALUE_TRIMMED"])),
]


def test_a_json_line_a_finding():
    lines = [json.loads(line) for line in "".join(as_jsonl(PARTS)).splitlines()]
    assert [(line["source_file"], line["source_line"], line["code"]) for line in lines] == [
        ("b c.csv", 2, "TENANT_MISSING"),
        ("b c.csv", 2, "FORMULA_CELL"),
        ("b c.csv", 0, "FILE_UNREADABLE"),
        ("a.csv", 7, "VALUE_TRIMMED"),
        ("b c.csv", 9, "TENANT_MISSING"),
        ("b c.csv", 9, "VALUE_TRIMMED"),
    ]
    assert all(line["remedy"] == CATALOGUE[line["code"]].remedy for line in lines)


def test_sarif_has_the_rules_hit_and_physical_places():
    log = json.loads("".join(as_sarif(PARTS)))
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in rules] == ["TENANT_MISSING", "FORMULA_CELL", "FILE_UNREADABLE", "VALUE_TRIMMED"]
    assert len(run["results"]) == 6
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert CATALOGUE[result["ruleId"]].sentence in result["message"]["text"]
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert places[0] == {"artifactLocation": {"uri": "b%20c.csv"}, "region": {"startLine": 2}}
    assert {"artifactLocation": {"uri": "b%20c.csv"}} in places
    assert [result["level"] for result in run["results"]].count("warning") == 2


def test_junit_has_a_case_a_file_which_fails_by_errors_alone():
    suites = ET.fromstring("".join(as_junit(PARTS)))  # noqa: S314 - made here
    counts = {"tests": "2", "failures": "1", "errors": "0", "time": "0"}
    assert suites.attrib == {"name": "autopilot-intake"} | counts
    assert suites.find("testsuite").attrib == {"name": "manifests"} | counts
    cases = {case.get("name"): case for case in suites.iter("testcase")}
    assert set(cases) == {"a.csv", "b c.csv"}
    assert cases["a.csv"].find("failure") is None
    assert "VALUE_TRIMMED: 1 rows" in cases["a.csv"].find("system-out").text
    failures = {one.get("type"): one for one in cases["b c.csv"].iter("failure")}
    assert set(failures) == {"TENANT_MISSING", "FORMULA_CELL", "FILE_UNREADABLE"}
    assert failures["TENANT_MISSING"].get("message").startswith("2 rows: ")
    assert "line 9: Tenant ID: expected " in failures["TENANT_MISSING"].text


JENKINS = {
    "testsuites": ({"name", "time", "tests", "failures", "disabled", "errors"}, {"testsuite"}),
    "testsuite": (
        {
            "name",
            "tests",
            "failures",
            "errors",
            "time",
            "disabled",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
        },
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": (
        {"name", "assertions", "time", "classname", "status"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}


@pytest.mark.parametrize("parts", [[], PARTS])
def test_junit_is_valid_by_the_schema_of_the_usual_build_server(parts):
    suites = ET.fromstring("".join(as_junit(parts, {"read": 9})))  # noqa: S314 - made here
    for element in suites.iter():
        attributes, children = JENKINS[element.tag]
        assert set(element.attrib) <= attributes
        assert {child.tag for child in element} <= children
    assert all(suite.get("name") and suite.get("tests") for suite in suites)


def test_what_became_of_all_rows_stands_beside_the_findings():
    rows = {"read": 9, "settled": 2, "registered": 3, "deregistered": 1, "rejected": 3}
    log = json.loads("".join(as_sarif(PARTS, rows)))
    assert log["runs"][0]["properties"]["rows"] == rows
    suite = ET.fromstring("".join(as_junit(PARTS, rows))).find("testsuite")  # noqa: S314 - made here
    told = {one.get("name"): int(one.get("value")) for one in suite.iter("property")}
    assert told == {f"rows.{name}": number for name, number in rows.items()}
    assert "properties" not in json.loads("".join(as_sarif(PARTS)))["runs"][0]


def test_sarif_tells_what_was_found_and_knows_a_finding_again():
    rows = pl.DataFrame(
        {
            "source_file": ["a.csv"] * 3,
            "source_line": [2, 3, 4],
            "reasons": [["GROUP_TAG_TOO_LONG"], ["GROUP_TAG_TOO_LONG"], []],
            "warnings": [[], [], ["VALUE_TRIMMED"]],
            "group_tag": ["x" * 9, "y" * 9, None],
        },
        schema_overrides={"source_line": pl.UInt32, "reasons": pl.List(pl.String), "warnings": pl.List(pl.String)},
    )
    logs = [json.loads("".join(as_sarif([findings(part)])))["runs"][0] for part in (rows, rows.head(2))]
    first = logs[0]["results"][0]
    assert "found 'xxxxxxxxx', expected" in first["message"]["text"]
    assert first["properties"]["found"] == "x" * 9
    prints = [[one["partialFingerprints"]["autopilotIntake/v1"] for one in log["results"]] for log in logs]
    assert len(set(prints[0])) == 3
    assert prints[1] == prints[0][:2]
    for rule in logs[0]["tool"]["driver"]["rules"]:
        assert rule["helpUri"].startswith("https://learn.microsoft.com/")
        assert rule["defaultConfiguration"]["level"] in {"error", "warning"}


def test_what_holds_for_a_file_is_told_once_with_its_rows():
    frame = found(
        ("a.csv", 2, ["FILE_HEADER_UNKNOWN", "TENANT_MISSING"], []),
        ("a.csv", 3, ["FILE_HEADER_UNKNOWN", "TENANT_MISSING"], []),
        ("b.csv", 2, ["FILE_HEADER_UNKNOWN"], []),
    )
    assert gathered(frame).select("source_file", "source_line", "code", "rows").rows() == [
        ("a.csv", 2, "FILE_HEADER_UNKNOWN", 2),
        ("a.csv", 2, "TENANT_MISSING", 1),
        ("a.csv", 3, "TENANT_MISSING", 1),
        ("b.csv", 2, "FILE_HEADER_UNKNOWN", 1),
    ]
    log = json.loads("".join(as_sarif([gathered(frame)])))
    assert "(2 rows)" in log["runs"][0]["results"][0]["message"]["text"]
    assert "2 rows: " in "".join(as_junit([gathered(frame)]))


@pytest.mark.parametrize("form", [as_jsonl, as_junit, as_sarif])
def test_nothing_found_is_a_document_too(form):
    text = "".join(form([]))
    assert text == "" or json.loads(text) if form is not as_junit else ET.fromstring(text) is not None  # noqa: S314


def test_odd_file_names_make_no_broken_document():
    odd = [found(('<&">\x01.csv', 2, ["TENANT_MISSING"], []))]
    assert ET.fromstring("".join(as_junit(odd))).find(".//testcase").get("name") == '<&">\ufffd.csv'  # noqa: S314
    assert json.loads("".join(as_sarif(odd)))["runs"][0]["results"][0]["ruleId"] == "TENANT_MISSING"


def test_findings_of_a_published_run_are_those_of_both_sets(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {"Windows Product ID": "3305123456789"}, {"Windows Product ID": "1"})
    night = world.run()
    told = pl.concat(published_findings(night.result.folder))
    expected = {(line, code) for (_, line), codes in night.reasons().items() for code in codes}
    expected |= {(line, code) for (_, line), codes in night.warnings().items() for code in codes}
    assert set(told.select("source_line", "code").rows()) == expected

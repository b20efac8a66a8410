import json
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from pipeline.report.findings import findings
from pipeline.report.formats import as_jsonl, as_junit, as_sarif, published_findings
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
    assert suites.attrib == {"tests": "2", "failures": "1"}
    cases = {case.get("name"): case for case in suites.iter("testcase")}
    assert set(cases) == {"a.csv", "b c.csv"}
    assert cases["a.csv"].find("failure") is None
    failure = cases["b c.csv"].find("failure")
    assert failure.get("message") == "4 errors"
    assert "line 9: TENANT_MISSING" in failure.text


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

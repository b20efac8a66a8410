"""Departures as files: what makes a header, what is a list, and what nobody may take for one."""

import gzip

import polars as pl
import pytest

from pipeline.config import FILE_LIMIT
from pipeline.ingest import Forms, Manifest, begin_reading, file_read, ingest, with_sheets
from pipeline.ingest.inbox import whose
from pipeline.ingest.layout import parse_header
from pipeline.ingest.names import mistaken_folder
from schemas.kinds import DEPARTURE, REGISTRATION
from tests.conftest import TENANT
from tests.workbooks import number, row, write_workbook

CELLS = ("registration_id", "serial_number", "departure_reason")


def read(path):
    """By source file, what is known of it and its rows."""
    found = {}
    for manifest in with_sheets([Manifest(path, path.name, "contoso", None, kind=DEPARTURE)], lambda _: ()):
        reading = begin_reading(manifest, FILE_LIMIT)
        batches = list(ingest([reading], Forms()))
        found[manifest.source_file] = file_read([reading]), pl.concat(batches) if batches else None
    return found


def cells(tmp_path, content, name="out.csv"):
    (tmp_path / name).write_bytes(content)
    (_, rows) = read(tmp_path / name)[name]
    return rows.select("source_line", *CELLS).rows()


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ([], (None, None, REGISTRATION)),
        (["contoso"], ("contoso", None, REGISTRATION)),
        (["contoso", TENANT], ("contoso", TENANT, REGISTRATION)),
        (["contoso", "departures"], ("contoso", None, DEPARTURE)),
        (["contoso", "DEPARTURES", TENANT, "more"], ("contoso", TENANT, DEPARTURE)),
        (["contoso", TENANT, "Departures", "more"], ("contoso", TENANT, DEPARTURE)),
        (["contoso", TENANT, "more", "departures"], ("contoso", TENANT, REGISTRATION)),
        (["departures", TENANT], ("departures", TENANT, REGISTRATION)),
    ],
)
def test_whose_a_file_is_and_what_it_asks(folders, expected):
    assert whose(folders) == expected


@pytest.mark.parametrize("name", ["departure", "Departed", "DEREGISTER", "deregistered", "departures ", " departures"])
def test_folders_of_which_nobody_knows_what_they_are_for(name):
    assert mistaken_folder(["contoso", name])
    assert mistaken_folder(["contoso", TENANT, name])
    assert not mistaken_folder([name, TENANT, "x", name])


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        ("Device ID", ("registration_id",)),
        ("registration_id;Reason", ("registration_id", "departure_reason")),
        ("Serial Number", ("serial_number",)),
        ("PKID,Departure Reason", ("windows_product_id", "departure_reason")),
        ("Hash\tModel", ("hardware_hash", "model")),
        ("Device ID,Reason,What is wrong", ("registration_id", None, None)),
        ("Departure Reason,Model", None),
        ("Device ID,Registration ID", None),
    ],
)
def test_what_makes_a_header_of_departures(line, columns):
    header = parse_header(line, DEPARTURE)
    assert (header and header.columns) == columns


def test_a_registration_knows_none_of_its_columns():
    header = parse_header("Device ID,Hardware Hash,Departure Reason")
    assert header.columns == (None, "hardware_hash", None)
    assert header.ignored == ["Device ID", "Departure Reason"]
    assert parse_header("Serial Number") is None


@pytest.mark.parametrize(
    "content",
    [
        b"5CG1\n5CG2\n",
        b"5CG1\r\n5CG2",
        b"5CG1\r5CG2\r",
        b"\xef\xbb\xbf5CG1\n\n5CG2,,\n",
        "5CG1\n5CG2\n".encode("utf-16"),
        b'"5CG1"\n"5CG2"\n',
    ],
)
def test_a_list_has_no_header(tmp_path, content):
    assert [serial for _, _, serial, _ in cells(tmp_path, content)] == ["5CG1", "5CG2"]


def test_a_list_may_be_packed_and_begin_with_remarks(tmp_path):
    found = cells(tmp_path, gzip.compress(b"sep=;\n#TYPE x\n5CG1\n"), "out.csv.gz")
    assert found == [(3, None, "5CG1", None)]


def test_a_header_counts_before_a_list(tmp_path):
    content = b"Devices that leave\nRegistration ID,Serial,Reason\nABC,5CG1,sold\n"
    assert cells(tmp_path, content)[1:] == [(3, "ABC", "5CG1", "sold")]


def test_what_is_no_text_at_all_is_no_list(tmp_path):
    path = tmp_path / "out.csv"
    path.write_bytes(b"PK\x03\x04 a workbook\nmore\n")
    known, rows = read(path)["out.csv"]
    assert known.findings() == ["FILE_HEADER_UNKNOWN"]
    assert rows.height == 1


def test_a_workbook_of_one_column_is_a_list_and_numbers_in_it_are_damage(tmp_path):
    path = tmp_path / "out.xlsx"
    write_workbook(path, {"S": row(1, "5CG1,5") + row(2, number("12345"))})
    rows = read(path)["out.xlsx#S"][1]
    assert rows.select("source_line", "serial_number", "spoilt_cells").rows() == [
        (1, "5CG1,5", None),
        (2, "12345", "serial_number"),
    ]


def test_notes_beside_a_sheet_of_departures_are_no_list(tmp_path):
    path = tmp_path / "out.xlsx"
    write_workbook(path, {"Notes": row(1, "to be returned"), "S": row(1, "Serial Number") + row(2, "5CG1")})
    found = {name: None if rows is None else rows["serial_number"].to_list() for name, (_, rows) in read(path).items()}
    assert found == {"out.xlsx#Notes": None, "out.xlsx#S": ["5CG1"]}

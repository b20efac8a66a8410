"""The round trip of rows to correct: what was put right registers with every other cell as it was, and nothing else."""

import csv
import random
import shutil
import subprocess
import zipfile
from xml.sax.saxutils import escape

import polars as pl
import pytest
from python_calamine import CalamineWorkbook
from xlsxwriter import Workbook

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory
from pipeline.report import tables, workbooks
from schemas.columns import COLUMN_NAMES
from tests import workbooks as raw
from tests.conftest import OTHER_TENANT, TENANT, make_world

HERE = f"contoso/{TENANT}/"
DOCUMENTED = [names[0] for names in COLUMN_NAMES.values()]
TITLES = [*DOCUMENTED, "Reason", "What is wrong", "What to do", "From"]
SERIAL, PRODUCT_ID, HASH, MAKER, MODEL, TAG, USER = range(7)
LONG = "x" * 200
"""A group tag that is too long: what is mended in each of these rows."""


def read_csv(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def read_xlsx(path, sheet=0):
    return [
        [str(cell) for cell in row] for row in CalamineWorkbook.from_path(path).get_sheet_by_index(sheet).to_python()
    ]


def write_csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def write_xlsx(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                sheet.write_string(number, column, cell)


READ = {"csv": read_csv, "xlsx": read_xlsx}
WRITE = {"csv": write_csv, "xlsx": write_xlsx}


def sent(night, name="resubmit.csv", partner="contoso"):
    return night.result.folder / "report" / partner / name


def bare(rows):
    """Rows without what is empty at their ends."""
    kept = []
    for row in rows:
        cells = list(row)
        while cells and not cells[-1]:
            cells.pop()
        kept.append(cells)
    return kept


def make_manifests(world):
    """Rows of every kind that a spreadsheet or a program may change, all but the last three mended by a shorter tag."""
    made = capture(world.factory.device())
    rows = [
        ["0004711", "0330512345678", "", "", "", LONG, ""],
        ["12E4567", "", "", "Köhler & Söhne", 'Übermodell 5,5 "Zoll"', LONG, ""],
        ["1-2-2024x", "", "", "HP", "3-12", LONG, ""],
        ["00E10", "3305123456789", "", "MAR-24", "1/2", LONG, "jörg@contoso.example"],
        ["", "", made, "", "", LONG, ""],
        ["TRUE1", "", "", "HP", "00123", LONG, ""],
        [" 0815x ", "", "", "HP", "1e5", LONG, ""],
        ["5CG0000001", "", "", "Hp", "EliteBook", "0012", ""],
        ["", "12345678", "", "", "", "0012", ""],
        ["MAR-24", "", "", "HP", "EliteBook", "0012", ""],
    ]
    write_csv(world.inbox / HERE / "delivered.csv", [DOCUMENTED[:7], *rows])
    return rows


def mended(rows):
    return [[cell.replace(LONG, "007") for cell in row] for row in rows]


def registered(night):
    columns = ["serial_number", "windows_product_id", "manufacturer", "model", "group_tag", "assigned_user"]
    return night.registered.select(columns).rows()


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    world = make_world(tmp_path_factory.mktemp("night"), Factory(random.Random(5)))
    rows = make_manifests(world)
    return world, rows, world.run()


def beside(night, home):
    """A copy of the night's world, with another inbox."""
    world, rows, first = night
    copy = make_world(home, world.factory)
    shutil.copytree(world.registry, copy.registry)
    return copy, rows, first


@pytest.mark.parametrize("ending", READ)
def test_every_cell_comes_back_as_it_was(night, ending):
    _, rows, first = night
    back = READ[ending](sent(first, f"resubmit.{ending}"))
    assert back[0] == TITLES
    assert [row[:7] for row in back[1:]] == rows
    assert {row[7] for row in back[1:]} == {TENANT}
    assert [row[11] for row in back[1:]] == [f"{HERE}delivered.csv:{line}" for line in range(2, 12)]


def require_registered(night, rows):
    expected = [tuple(cell.strip() or None for cell in (*row[:2], *row[3:7])) for row in mended(rows[:7])]
    assert registered(night) == expected
    assert [codes[0] for codes in night.rejected["reasons"]] == [
        "MANUFACTURER_SPELLING",
        "PRODUCT_ID_FORMAT",
        "SPREADSHEET_DAMAGE",
    ]


@pytest.mark.parametrize("ending", READ)
def test_what_was_put_right_registers_and_nothing_else(night, tmp_path, ending):
    world, rows, first = beside(night, tmp_path)
    WRITE[ending](world.inbox / "contoso" / f"again.{ending}", mended(READ[ending](sent(first, f"resubmit.{ending}"))))
    again = world.run(run_id="again")
    require_registered(again, rows)
    opened = read_csv(sent(again, "open.csv"))
    waits = [row[0].rpartition("/")[2].partition("#")[0] for row in opened[1:] if row[10] == "yes"]
    assert waits == ["delivered.csv", f"again.{ending}"]
    assert {row[3] for row in opened[1:]} == {codes[0] for codes in again.rejected["reasons"]}


def test_delivered_unchanged_the_same_is_refused_and_no_cell_is_lost(world):
    make_all_faults(world)
    first = world.run()
    for ending, read in READ.items():
        back = bare(read(sent(first, f"resubmit.{ending}")))
        shutil.rmtree(world.inbox)
        world.put(f"contoso/again.{ending}", sent(first, f"resubmit.{ending}").read_bytes())
        again = world.run()
        assert again.registered.is_empty()
        once_more = bare(read(sent(again, f"resubmit.{ending}")))
        assert [row[:8] for row in once_more] == [row[:8] for row in back]
        mended_by_itself = [row[8].replace("RECORD_NOT_TEXT", "RECORD_FIELD_COUNT") for row in back]
        assert [row[8] for row in once_more] == mended_by_itself
        assert [row[12:] for row in once_more] == [row[12:] for row in back]


def make_all_faults(world):
    header = ",".join(DOCUMENTED[:7])
    lines = [
        header.encode(),
        b"A1,,,Hp,B,,",
        b'"A2,,,HP,EliteBook,,',
        b"A3,,,HP",
        b"A4,,,HP,Elite,Book,a,,b",
        b"A5,,,HP,EliteB\xf6ok,,",
        b"MAR-24,,,HP,EliteBook,,",
        b"A6\xe2\x80\x8b,,,HP,EliteBook,,",
        b"A7\x01,,,HP,EliteBook,,",
        b"A8,,,HP,EliteBook,_x0041_,nobody",
        b'"TBD",,,HP,"Elite ""Book""",,',
        ",,T0notahash,,,ä,".encode(),
        b"",
    ]
    world.put(HERE + "faults.csv", b"\n".join(lines))
    write_csv(world.inbox / "contoso" / "tenants.csv", [["PKID", "Tenant ID"], ["3305123456789", ""], ["1", "x"]])


def test_nobody_else_and_nothing_else_is_in_it(world):
    """What only waits, what is done, what is no row, and what could do harm."""
    device = world.factory.device()
    world.put(
        HERE + "a.csv",
        (
            b"Title\nPKID,Group Tag\n3305123456781,\n3305123456781,\n1,=x\n2,AAAAA-BBBBB-CCCCC-DDDDD-EEEEE\n"
            b"PKID,Group Tag\n3,wrong\n"
        ),
    )
    world.put("contoso/33333333-3333-4333-8333-333333333333/b.csv", f"Hardware Hash\n{capture(device)}\n".encode())
    world.put(HERE + "c.csv", b"A,B\n1,2\n")
    world.put(HERE + "d.zip", b"PK")
    first = world.run()
    assert [row[PRODUCT_ID] for row in read_csv(sent(first))[1:]] == ["3"]
    told = {(row[0].rpartition("/")[2], row[1]): row[15] for row in read_csv(sent(first, "errors.csv"))[1:]}
    harm = "no: it holds a formula or a product key"
    assert told == {
        ("a.csv", "1"): "no: nothing in the row to correct",
        ("a.csv", "4"): "no: nothing in the row to correct",
        ("a.csv", "5"): harm,
        ("a.csv", "6"): harm,
        ("a.csv", "7"): "no: nothing in the row to correct",
        ("a.csv", "8"): "yes",
        ("b.csv", "2"): "no: nothing in the row to correct",
        ("c.csv", "1"): "no: send the file itself again",
        ("c.csv", "2"): "no: send the file itself again",
        ("d.zip", "0"): "no: send the file itself again",
    }


def test_a_number_of_a_spreadsheet_does_not_pass_as_text(world):
    place = world.inbox / HERE / "a.xlsx"
    place.parent.mkdir(parents=True)
    sheet = raw.row(1, "Serial Number", "Manufacturer", "Model") + raw.row(2, raw.number(4711000), "HP", "EliteBook")
    raw.write_workbook(place, {"S": sheet})
    first = world.run()
    for ending in READ:
        assert READ[ending](sent(first, f"resubmit.{ending}"))[1][SERIAL] == "'4711000"
        world.put(HERE + f"again.{ending}", sent(first, f"resubmit.{ending}").read_bytes())
    again = world.run()
    assert again.registered.is_empty()
    assert set(again.rejected["reason"]) == {"SPREADSHEET_DAMAGE"}


def test_unclear_columns_spoil_no_other_row(world):
    world.put(HERE + "a.csv", b"PKID,Serial Numbr,Reason,From\n3305123456789,S,r,f\n")
    world.put(HERE + "b.csv", b"PKID\n3\nPKID,Serial,Serial Number,Note\n3305123456780,S,T,n\n")
    world.put(HERE + "c.csv", b"PKID,Group Tag\n3305123456781," + LONG.encode() + b"\n")
    first = world.run()
    apart = read_csv(sent(first, "resubmit-unclear.csv"))
    own = apart[0][7:-5]
    assert own == [
        "Serial Numbr",
        "Reason (as delivered)",
        "From (as delivered)",
        "Serial Number (as delivered)",
        "Note",
    ]
    assert [row[7:-5] for row in apart[1:]] == [["S", "r", "f", "", ""], [""] * 5, ["", "", "", "T", "n"]]
    world.put(HERE + "unclear.csv", sent(first, "resubmit-unclear.csv").read_bytes())
    write_csv(world.inbox / HERE / "again.csv", mended(read_csv(sent(first))))
    again = world.run()
    assert again.registered["windows_product_id"].to_list() == ["3305123456781"]
    assert set(again.rejected.filter(pl.col("source_file") == HERE + "unclear.csv")["reason"]) == {"COLUMN_UNCLEAR"}


def test_a_folder_names_the_tenant_and_a_column_wins(world):
    write_csv(world.inbox / HERE / "a.csv", [["PKID"], ["1"]])
    write_csv(world.inbox / "contoso" / "b.csv", [["PKID", "Tenant"], ["2", OTHER_TENANT], ["3", ""]])
    write_csv(world.inbox / "contoso" / "c.csv", [["PKID"], ["4"]])
    write_csv(world.inbox / "contoso" / "Kunde 7" / "d.csv", [["PKID"], ["5"]])
    named = {row[PRODUCT_ID]: row[7] for row in read_csv(sent(world.run()))[1:]}
    assert named == {"1": TENANT, "2": OTHER_TENANT, "3": "", "4": "", "5": "Kunde 7"}


def test_the_wrong_cells_are_marked_the_titles_stand_and_a_sheet_explains(night):
    _, rows, first = night
    path = sent(first, "resubmit.xlsx")
    with zipfile.ZipFile(path) as packed:
        sheet, comments = (packed.read(f"xl/{name}.xml").decode() for name in ("worksheets/sheet1", "comments1"))
    assert sheet.count('state="frozen"') == 1
    assert comments.count("<comment ") == len(rows)
    assert 'ref="F2"' in comments
    assert 'ref="D9"' in comments
    explained = [row[0] for row in read_xlsx(path, 1)]
    assert explained[-4:] == ["SPREADSHEET_DAMAGE", "PRODUCT_ID_FORMAT", "MANUFACTURER_SPELLING", "GROUP_TAG_TOO_LONG"]
    assert sent(first, "resubmit.xlsx").read_bytes() == path.read_bytes()


def test_who_delivered_nothing_wrong_has_all_files_too(world):
    world.deliver(HERE + "a.csv", {"Hardware Hash": capture(world.factory.device())})
    world.put(f"northwind/{TENANT}/b.csv", b"PKID\n1\n")
    world.put(f"tailspin/{TENANT}/c.csv", b"PKID\n")
    first = world.run()
    lists = {"errors.csv", "registered.csv", "open.csv", "departures.csv"}
    names = {*lists, "resubmit.csv", "resubmit.xlsx", "index.html", "report.json"}
    names |= {"departures-resubmit.csv", "departures-resubmit.xlsx"}
    assert {path.name for path in sent(first).parent.iterdir()} == names
    assert read_csv(sent(first)) == [TITLES]
    assert read_xlsx(sent(first, "resubmit.xlsx")) == [TITLES]
    assert read_xlsx(sent(first, "resubmit.xlsx", "tailspin")) == [TITLES]
    receipt = read_csv(sent(first, "registered.csv"))
    assert [row[10] for row in receipt[1:]] == first.registered["device_id"].to_list()
    shutil.rmtree(world.inbox / "northwind")
    shutil.rmtree(world.inbox / "contoso")
    shutil.rmtree(world.inbox / "tailspin")
    second = world.run()
    assert {path.name for path in (second.result.folder / "report").iterdir() if path.is_dir()} == {"northwind"}
    assert {path.name for path in sent(second, partner="northwind").parent.iterdir()} == names
    opened = read_csv(sent(second, "open.csv", "northwind"))
    assert [(row[1], row[3], row[8], row[9]) for row in opened[1:]] == [("2", "PRODUCT_ID_FORMAT", "2", "run-1")]
    assert "open.csv</a> 1 row" in sent(second, "index.html", "northwind").read_text()


def test_many_rows_are_in_numbered_files_and_in_no_workbook(world, monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 2)
    monkeypatch.setattr("pipeline.report.resubmissions.MOST_IN_WORKBOOK", 4)
    write_csv(world.inbox / HERE / "a.csv", [["PKID"], *([str(number)] for number in range(1, 6))])
    first = world.run()
    parts = [read_csv(sent(first, f"resubmit-{number:05d}.csv")) for number in (1, 2, 3)]
    assert [[row[PRODUCT_ID] for row in part] for part in parts] == [
        [DOCUMENTED[1], "1", "2"],
        [DOCUMENTED[1], "3", "4"],
        [DOCUMENTED[1], "5"],
    ]
    names = {path.name for path in sent(first).parent.iterdir()}
    assert not {"resubmit.csv", "resubmit.xlsx", "errors.csv"} & names
    assert {row[15] for row in read_csv(sent(first, "errors-00001.csv"))[1:]} == {"only in the CSV"}
    assert "too many of them for a workbook" in sent(first, "index.html").read_text()


def test_a_cell_too_long_for_a_workbook_is_in_the_csv(world):
    lengths = workbooks.LONGEST_CELL + 1, workbooks.LONGEST_CELL, 900_000
    rows = ([str(number), "x" * length] for number, length in enumerate(lengths, 1))
    write_csv(world.inbox / HERE / "a.csv", [["PKID", "Group Tag"], *rows])
    first = world.run()
    lines = sent(first).read_text(encoding="utf-8-sig").splitlines()[1:]
    assert [line[:7] for line in lines] == ['"","1",', '"","2",', '"","3",']
    assert [row[PRODUCT_ID] for row in read_xlsx(sent(first, "resubmit.xlsx"))[1:]] == ["2"]
    told = [row[15] for row in read_csv(sent(first, "errors.csv"))[1:]]
    assert told == ["only in the CSV", "yes", "only in the CSV"]


def waiting(night):
    return night.manifest["rows"]["waiting"]


def test_a_waiting_row_is_final_once_its_correction_is_carried_out(world):
    world.put(HERE + "a.csv", b"Serial Number,Manufacturer,Model,Group Tag\nA0123,Hp,EliteBook,\n")
    first = world.run()
    assert waiting(first) == 1
    rows = read_csv(sent(first))
    rows[1][SERIAL], rows[1][MAKER] = "A0124", "HP"
    write_csv(world.inbox / "contoso" / "again.csv", rows)
    second = world.run()
    assert second.registered["serial_number"].to_list() == ["A0124"]
    assert read_csv(sent(second, "open.csv"))[1:] == []
    # Its remedy comes too late: the row that was corrected is not decided again.
    world.reference("manufacturers.csv", "manufacturer,alias\nHp,HP Inc.\n")
    third = world.run()
    assert third.registered.is_empty()
    assert third.rejected.is_empty()


NAMING_NO_ROW_OF_ITS_OWN = (
    f"northwind/{TENANT}/a.csv:2",
    f"contoso/{OTHER_TENANT}/a.csv:2",
    f"{HERE}a.csv:3",
    f"{HERE}a.csv",
    "",
    "a.csv:2",
)


def test_only_the_row_of_the_same_partner_and_tenant_that_is_named_ends(world):
    for folder in (HERE, f"contoso/{OTHER_TENANT}/", f"northwind/{TENANT}/"):
        world.put(folder + "a.csv", b"Serial Number,Manufacturer,Model\nA0123,Hp,EliteBook\n")
    world.run()
    serials = [f"B765{at}" for at in range(len(NAMING_NO_ROW_OF_ITS_OWN))]
    named = zip(serials, NAMING_NO_ROW_OF_ITS_OWN, strict=True)
    rows = [[serial, "", "", "HP", "EliteBook", "", "", TENANT, "", "", "", name] for serial, name in named]
    write_csv(world.inbox / "contoso" / "again.csv", [TITLES, *rows])
    second = world.run()
    assert second.registered["serial_number"].to_list() == serials
    assert waiting(world.run()) == 3


def test_a_correction_that_is_refused_ends_nothing(world):
    world.put(HERE + "a.csv", b"Serial Number,Manufacturer,Model\nA0123,Hp,EliteBook\n")
    rows = read_csv(sent(world.run()))
    rows[1][SERIAL] = "TBD"
    write_csv(world.inbox / "contoso" / "again.csv", rows)
    second = world.run()
    assert waiting(second) == 1
    assert len(read_csv(sent(second, "open.csv"))) == 3


def test_names_of_its_own_columns_are_no_findings_but_beside_each_other(world):
    write_csv(world.inbox / HERE / "a.csv", [TITLES, ["", "3305123456789", *[""] * 5, TENANT, "r", "w", "t", "f"]])
    write_csv(world.inbox / HERE / "b.csv", [["PKID", "Reason"], ["3305123456780", "r"]])
    found = world.run().warnings()
    assert "COLUMN_IGNORED" not in found[HERE + "a.csv", 2]
    assert "COLUMN_IGNORED" in found[HERE + "b.csv", 2]


MACRO = """Function Named(name, value)
  Dim made As New com.sun.star.beans.PropertyValue
  made.Name = name
  made.Value = value
  Named = made
End Function

Sub Main
  book = StarDesktop.loadComponentFromURL("SOURCE", "_blank", 0, Array(Named("Hidden", True)))
  book.storeToURL("FOLDER/unchanged.xlsx", Array(Named("FilterName", "Calc MS Excel 2007 XML")))
  typing = createUnoService("com.sun.star.frame.DispatchHelper")
  For at = 1 To 7
    book.CurrentController.select(book.Sheets.getByIndex(0).getCellByPosition(5, at))
    typing.executeDispatch(book.CurrentController.Frame, ".uno:EnterString", "", 0, Array(Named("StringName", "007")))
  Next
  book.storeToURL("FOLDER/corrected.xlsx", Array(Named("FilterName", "Calc MS Excel 2007 XML")))
  book.storeToURL("FOLDER/corrected.csv", Array(Named("FilterName", "Text - txt - csv (StarCalc)")))
  book.close(True)
  StarDesktop.terminate()
End Sub
"""
_BASIC = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument '
    '1.0//EN" "module.dtd">\n<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Module1" '
    'script:language="StarBasic">{}</script:module>'
)


@pytest.fixture(scope="module")
def by_hand(night, tmp_path_factory):
    """The workbook as somebody saves it who opens it, as it was and with the marked tags typed anew; one process."""
    if shutil.which("soffice") is None:
        pytest.skip("no LibreOffice on this machine")
    folder = tmp_path_factory.mktemp("office")
    home = f"-env:UserInstallation={(folder / 'profile').as_uri()}"

    def office(*arguments):
        command = ["soffice", home, "--headless", "--norestore", *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=180)

    office("--terminate_after_init")  # makes the profile, over whatever stands there
    macro = MACRO.replace("SOURCE", sent(night[2], "resubmit.xlsx").as_uri()).replace("FOLDER", folder.as_uri())
    module = folder / "profile" / "user" / "basic" / "Standard" / "Module1.xba"
    module.write_text(_BASIC.format(escape(macro, {'"': "&quot;"})))
    office("macro:///Standard.Module1.Main")
    return folder


@pytest.mark.parametrize("name", ["corrected.xlsx", "corrected.csv"])
def test_what_was_corrected_in_a_spreadsheet_registers(night, by_hand, tmp_path, name):
    world, rows, _ = beside(night, tmp_path)
    world.put(f"contoso/{name}", (by_hand / name).read_bytes())
    require_registered(world.run(run_id="again"), rows)


def test_what_a_spreadsheet_saved_unchanged_is_refused_as_before(night, by_hand, tmp_path):
    world, _, first = beside(night, tmp_path)
    world.put("contoso/unchanged.xlsx", (by_hand / "unchanged.xlsx").read_bytes())
    again = world.run(run_id="again")
    assert again.registered.is_empty()
    assert again.rejected["reasons"].to_list() == first.rejected["reasons"].to_list()
    back, before = (bare(read_csv(sent(one))) for one in (again, first))
    assert [row[:11] for row in back] == [row[:11] for row in before]

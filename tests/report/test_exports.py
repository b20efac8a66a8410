import csv
import io
import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from pipeline.report.exports import partner_folder
from tests.conftest import TENANT

HASH, TAG = INTUNE[2:4]
KEY = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"


def report(world, name):
    return world.run().result.folder / "report" / "contoso" / name


def resubmitted(world, *lines):
    """Rows of the resubmission of one file."""
    world.put(f"contoso/{TENANT}/a.csv", "\n".join(lines).encode())
    return cells(report(world, "resubmit.csv"))


def cells(path, delimiter=","):
    """What a program reads that separates fields by a delimiter, whatever the file's own is."""
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), delimiter=delimiter))


@pytest.mark.parametrize("header", ["PKID,Note,Note,Model", "PKID,,,Model", "Model;PKID", "PKID"])
def test_a_single_header_keeps_its_columns(world, header):
    delimiter = ";" if ";" in header else ","
    row = delimiter.join(["x"] * len(header.split(delimiter)))
    assert resubmitted(world, header, row) == [header.split(delimiter), row.split(delimiter)]


def test_names_of_columns_are_safe_too(world):
    assert resubmitted(world, f"PKID,=cmd(),{KEY},Model", "1,2,3,4") == [
        ["PKID", "", "", "Model"],
        ["1", "2", "3", "4"],
    ]


DANGERS = ["=x", " @x", "+1", "\u00a0-x", "a;=cmd()", "a; \t+1", 'a;"=cmd()', "a\t@x", '";=x']


@pytest.mark.parametrize("danger", DANGERS)
def test_rows_that_could_do_harm_are_left_out_and_it_is_said(world, danger):
    quoted = danger.replace('"', '""')
    world.put(
        f"contoso/{TENANT}/a.csv", f'PKID,Group Tag,Model\n1,"{quoted}",M\n2,"a,b","say ""hi"""\n3,-,+\n'.encode()
    )
    path = report(world, "resubmit.csv")
    assert cells(path) == [["PKID", "Group Tag", "Model"], ["2", "a,b", 'say "hi"'], ["3", "-", "+"]]
    told = cells(path.with_name("errors.csv"))
    assert [row[told[0].index("in_resubmit")] for row in told[1:]] == ["no", "yes", "yes"]


def test_rows_with_a_product_key_are_left_out(world):
    assert resubmitted(world, "PKID,Model", f"1,{KEY}", "2,M") == [["PKID", "Model"], ["2", "M"]]


def test_a_damaged_line_keeps_its_cells(world):
    assert resubmitted(world, "PKID,Model", "1,2,3", "4") == [["PKID", "Model"], ["1", "2", "3"], ["4"]]


def test_a_partner_without_rejected_rows_has_both_files(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())})
    path = report(world, "errors.csv")
    assert [row[:2] for row in cells(path)] == [["source_file", "source_line"]]
    assert path.with_name("resubmit.csv").read_text() == ""


def test_errors_name_place_reason_and_remedy_and_mask_serials(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {INTUNE[0]: "5CG1234ABC", TAG: "x"}, {INTUNE[0]: "SHORT"})
    path = report(world, "errors.csv")
    assert [row[:4] for row in cells(path)[1:]] == [
        [f"contoso/{TENANT}/a.csv", "2", "5C***BC", "IDENTITY_PARTIAL_TUPLE"],
        [f"contoso/{TENANT}/a.csv", "3", "***", "IDENTITY_PARTIAL_TUPLE"],
    ]
    assert "5CG1234ABC" not in path.read_text()


def dangerous(world):
    """Both files of a partner whose names and cells are formulas wherever somebody may look for them."""
    for number, danger in enumerate(DANGERS):
        quoted = danger.replace('"', '""')
        text = (
            f'Serial Number,PKID,Group Tag,{danger if "," not in danger else "x"}\n"{quoted}",1,"{quoted}","{quoted}"\n'
        )
        world.put(f"contoso/{TENANT}/{number};={danger}.csv".replace("\t", "\t"), text.encode())
    world.put(f"contoso/{TENANT}/fine.csv", b'PKID,Group Tag,Note\n2,"a;b","say ""hi"";"\n')
    path = report(world, "errors.csv")
    return [path, path.with_name("resubmit.csv")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_whatever_separates_fields(world, delimiter):
    for path in dangerous(world):
        found = [cell for row in cells(path, delimiter) for cell in row]
        assert found
        assert [cell for cell in found if re.match(r"[\s\"]*[=+\-@].", cell)] == []


def test_files_for_people_are_quoted_and_marked(world):
    for path in dangerous(world):
        content = path.read_bytes()
        assert content.startswith(b'\xef\xbb\xbf"')
        assert content.endswith(b'"\r\n')
        assert content.count(b"\n") == content.count(b"\r\n")
        text = content.decode("utf-8-sig")
        assert (
            "".join(",".join(f'"{c.replace(chr(34), chr(34) * 2)}"' for c in row) + "\r\n" for row in cells(path))
            == text
        )


@pytest.mark.skipif(shutil.which("soffice") is None, reason="no LibreOffice on this machine")
@pytest.mark.parametrize("delimiter", [44, 59])
def test_a_spreadsheet_program_finds_no_formula(world, tmp_path, delimiter):
    for path in dangerous(world):
        form = f"--infilter=Text - txt - csv (StarCalc):{delimiter},34,76,1,,0,false,true"
        home = f"-env:UserInstallation=file://{tmp_path}/profile"
        command = ["soffice", home, "--headless", form, "--convert-to", "fods", "--outdir", str(tmp_path), str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        made = (tmp_path / path.with_suffix(".fods").name).read_text(encoding="utf-8")
        assert "office:value-type" in made
        assert "table:formula" not in made


NAMES = st.one_of(
    st.text(min_size=1, max_size=40),
    st.sampled_from(["a" * 120, "a" * 121, "a" * 122, "ä" * 60, "ä" * 61, ".", "..", "a.", "index.html", "%2E"]),
)


@given(st.lists(NAMES, min_size=2, max_size=2, unique=True))
def test_no_two_partners_share_a_folder(names):
    folders = [partner_folder(name) for name in names]
    assert folders[0] != folders[1]
    for folder in folders:
        assert "/" not in folder
        assert "\0" not in folder
        assert folder not in {".", "..", "index.html", "report.json", ""}
        assert len(folder.encode()) <= 255

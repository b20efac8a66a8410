import csv
import io
import random
import re
import shutil
import subprocess

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory
from pipeline.lab.synthesize.night import INTUNE
from pipeline.report.folders import partner_folder
from pipeline.report.listings import ERRORS, OPEN
from pipeline.report.tables import is_danger
from schemas.columns import COLUMN_NAMES
from schemas.reasons import CATALOGUE, Waits
from tests.conftest import AS_OF, AUTHORIZATIONS, OTHER_TENANT, PARTNERS, TENANT, make_world

HASH, TAG = INTUNE[2:4]
DOCUMENTED = [names[0] for name, names in COLUMN_NAMES.items() if name != "tenant"]
KEY = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"


DANGERS = ["=x", " @x", "+1", "\u00a0-x", "a;=cmd()", "a; \t+1", 'a;"=cmd()', "a\t@x", '";=x']
HEADERS = {"doubled": "PKID,Note,Note,Model", "nameless": "PKID,,,Model", "semicolons": "Model;PKID;", "alone": "PKID"}


def row_of(header):
    """Its delimiter, its names, and a row whose cells tell where they stand."""
    delimiter = ";" if ";" in header else ","
    names = header.split(delimiter)
    return delimiter, names, delimiter.join(f"x{at}" for at in range(len(names)))


def harmful(danger):
    quoted = danger.replace('"', '""')
    return f'PKID,Group Tag,Model\n1,"{quoted}",M\n2,"a,b","say ""hi"""\n3,-,+\n'


def dangerous():
    """Files whose names and cells are formulas wherever somebody may look for them."""
    made = {"fine.csv": 'PKID,Group Tag,Note\n2,"a;b","say ""hi"";"\n'}
    for number, danger in enumerate(DANGERS):
        quoted = danger.replace('"', '""')
        header = f"Serial Number,PKID,Group Tag,{danger if ',' not in danger else 'x'}"
        made[f"{number};={danger}.csv"] = f'{header}\n"{quoted}",1,"{quoted}","{quoted}"\n'
    return made


DELIVERED = {
    **{name: {"a.csv": f"{header}\n{row_of(header)[2]}\n"} for name, header in HEADERS.items()},
    **{f"harm-{at}": {"a.csv": harmful(danger)} for at, danger in enumerate(DANGERS)},
    "formula": {"a.csv": "PKID,=cmd(),Model\n1,2,4\n"},
    "key": {"a.csv": f"PKID,{KEY}\n1,2\n"},
    "key-in-a-cell": {"a.csv": f"PKID,Model\n1,{KEY}\n2,M\n"},
    "damaged": {"a.csv": 'PKID,Model\n1,2,3\n4\n5,"6'},
    "partial": {"a.csv": ",".join(INTUNE) + "\n5CG1234ABC,,,x,\nSHORT,,,,\n"},
    "dangerous": dangerous(),
}
"""What each of many partners has delivered in one night: what is told one is told no other."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    world = make_world(tmp_path_factory.mktemp("night"), Factory(random.Random(20260115)))
    names = [*DELIVERED, "fine"]
    world.reference(
        "partners.csv", PARTNERS + "".join(f"{name},,direct_csp,partner_center_csv,EU,\n" for name in names)
    )
    consents = (f"{name},{TENANT},active,2024-01-01T00:00:00Z,\n" for name in names)
    world.reference("authorizations.csv", AUTHORIZATIONS + "".join(consents))
    for partner, files in DELIVERED.items():
        for name, text in files.items():
            world.put(f"{partner}/{TENANT}/{name}", text.encode())
    world.deliver(f"fine/{TENANT}/a.csv", {HASH: capture(world.factory.device())})
    return world.run().result.folder / "report"


def cells(path, delimiter=","):
    """What a program reads that separates fields by a delimiter, whatever the file's own is."""
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), delimiter=delimiter))


@pytest.mark.parametrize("name", HEADERS)
def test_columns_of_the_partner_s_own_stand_behind_those_documented(reports, name):
    delimiter, names, _ = row_of(HEADERS[name])
    titles, row = cells(reports / name / "resubmit.csv")
    cells_by_name = sorted((name, f"x{at}") for at, name in enumerate(names) if name or delimiter == ",")
    own = [(title, cell) for title, cell in zip(titles, row, strict=False) if cell.startswith("x")]
    named = {"Windows Product ID": "PKID", "Device model": "Model"}
    assert sorted((named.get(title, title), cell) for title, cell in own) == cells_by_name
    assert titles[:7] == DOCUMENTED
    assert titles[7:-5] == [name for name in names if name not in {"PKID", "Model"} and delimiter == ","]


def test_names_of_columns_are_safe_too(reports):
    titles, row = cells(reports / "formula" / "resubmit.csv")
    assert (titles[7:-5], row[7:-5]) == ([""], ["2"])
    assert len(cells(reports / "key" / "resubmit.csv")) == 1


@pytest.mark.parametrize("at", range(len(DANGERS)))
def test_rows_that_could_do_harm_are_left_out_and_it_is_said(reports, at):
    path = reports / f"harm-{at}" / "resubmit.csv"
    assert [(row[1], row[5], row[4]) for row in cells(path)[1:]] == [("2", "a,b", 'say "hi"'), ("3", "-", "+")]
    told = cells(path.with_name("errors.csv"))
    harm = "no: it holds a formula or a product key"
    assert [row[told[0].index("In resubmit")] for row in told[1:]] == [harm, "yes", "yes"]
    assert [row[told[0].index("Reason")] for row in told[2:]] == ["PRODUCT_ID_FORMAT", "PRODUCT_ID_FORMAT"]


def test_rows_with_a_product_key_are_left_out(reports):
    assert [row[1] for row in cells(reports / "key-in-a-cell" / "resubmit.csv")[1:]] == ["2"]


def test_a_damaged_line_keeps_its_cells(reports):
    rows = cells(reports / "damaged" / "resubmit.csv")[1:]
    assert [(row[1], row[4], row[12:]) for row in rows] == [("1", "2", ["3"]), ("4", "", ["4"]), ("5", '"6', ['5,"6'])]


def test_a_partner_without_rejected_rows_has_both_files(reports):
    assert [row[:2] for row in cells(reports / "fine" / "errors.csv")] == [["File", "Line"]]
    assert [row[:7] for row in cells(reports / "fine" / "resubmit.csv")] == [DOCUMENTED]


def test_errors_name_place_reason_and_remedy_and_mask_serials(reports):
    path = reports / "partial" / "errors.csv"
    place = f"partial/{TENANT}/a.csv"
    assert [row[:5] for row in cells(path)[1:]] == [
        [place, "2", TENANT, "5C***BC", "IDENTITY_PARTIAL_TUPLE"],
        [place, "3", TENANT, "***", "IDENTITY_PARTIAL_TUPLE"],
    ]
    reason = CATALOGUE["IDENTITY_PARTIAL_TUPLE"]
    told = dict(zip(*cells(path)[:2], strict=True))
    assert (told["What is wrong"], told["Expected"], told["What to do"]) == (
        reason.sentence,
        reason.expected,
        reason.remedy,
    )
    assert (told["Who must act"], told["Nights"], told["Waits"]) == ("partner", "1", "no")
    assert "5CG1234ABC" not in path.read_text()


def tables(reports):
    return [reports / "dangerous" / f"{name}.csv" for name in ("errors", "resubmit", "open", "registered")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_whatever_separates_fields(reports, delimiter):
    for path in tables(reports):
        found = [cell for row in cells(path, delimiter) for cell in row]
        assert found
        assert [cell for cell in found if re.match(r"[\s\"]*[=+\-@].", cell)] == []


def test_files_for_people_are_quoted_and_marked(reports):
    for path in tables(reports):
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
def test_a_spreadsheet_program_finds_no_formula(reports, tmp_path, delimiter):
    paths = tables(reports)
    form = f"--infilter=Text - txt - csv (StarCalc):{delimiter},34,76,1,,0,false,true"
    home = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = ["soffice", home, "--headless", form, "--convert-to", "fods", "--outdir", str(tmp_path), *map(str, paths)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    for path in paths:
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


@pytest.mark.parametrize("listing", [ERRORS, OPEN], ids=lambda listing: listing.name)
def test_words_of_ours_are_nothing_that_a_spreadsheet_runs(listing):
    waits = pl.Series([[what.value] for what in Waits] + [[]] * len(CATALOGUE)).head(len(CATALOGUE))
    rows = pl.DataFrame({"reason": list(CATALOGUE), "reasons": [list(CATALOGUE)] * len(CATALOGUE)}).with_columns(
        request_kind=pl.lit("departure"),
        is_waiting=pl.lit(value=False),
        source_line=pl.lit(2),
        nights=pl.lit(1),
        waits_for=waits,
        in_resubmit=pl.lit("yes"),
        since=pl.lit(AS_OF),
    )
    ours = rows.select(
        cell.cast(pl.String).alias(title) for title, cell in listing.columns.items() if title in listing.ours
    )
    assert set(ours.columns) == listing.ours & set(listing.columns)
    assert not ours.select(pl.any_horizontal(is_danger(pl.all())).any()).item()


def test_lists_of_a_partner_speak_to_it_and_name_no_file_or_option_of_ours(world):
    key = "3305123456789"
    world.deliver(f"contoso/{TENANT}/a.csv", {INTUNE[1]: key, TAG: "x" * 200}, {INTUNE[1]: "1", TAG: "sales"})
    world.deliver(f"contoso/{OTHER_TENANT}/b.csv", {INTUNE[1]: key})
    world.reference("tenants.csv", f"tenant_id,region,cloud,verified_domains\n{TENANT},US,public,\n")
    folder = world.run().result.folder / "report" / "contoso"
    lists = {name: (folder / name).read_text("utf-8") for name in ("errors.csv", "open.csv", "resubmit.csv")}
    assert "AUTH_REGION" in lists["errors.csv"]
    assert "GROUP_TAG_TOO_LONG" in lists["resubmit.csv"]
    for name, text in lists.items():
        assert not re.search(r"(this|the) partner\b|[Tt]he customer\b|(partners|tenants)\.csv|--\w|partner_id", text), (
            name
        )

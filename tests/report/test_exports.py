import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.exports import partner_folder
from pipeline.synthesize.capture import capture
from pipeline.synthesize.night import INTUNE
from tests.conftest import TENANT

HASH, TAG = INTUNE[2:4]
KEY = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"


def resubmitted(world, *lines):
    """Lines of the resubmission of one file."""
    world.put(f"contoso/{TENANT}/a.csv", "\n".join(lines).encode())
    return (world.run().result.folder / "report" / "contoso" / "resubmit.csv").read_text().splitlines()


@pytest.mark.parametrize("header", ["PKID,Note,Note,Model", "PKID,,,Model", "Model;PKID", "PKID"])
def test_a_single_header_stays_as_it_is(world, header):
    delimiter = ";" if ";" in header else ","
    row = delimiter.join(["x"] * len(header.split(delimiter)))
    assert resubmitted(world, header, row) == [header, row]


def test_names_of_columns_are_safe_too(world):
    assert resubmitted(world, f"PKID,=cmd(),{KEY},Model", "1,2,3,4") == ["PKID,,,Model", "1,2,3,4"]


def test_cells_that_are_dangerous_are_empty(world):
    lines = resubmitted(world, "PKID,Group Tag,Model", f"1,=x,{KEY}", '2,"a,b","say ""hi"""', "3, @x,M")
    assert lines == ["PKID,Group Tag,Model", "1,,", '2,"a,b","say ""hi"""', "3,,M"]


def test_a_damaged_line_is_given_as_it_is(world):
    assert resubmitted(world, "PKID,Model", "1,2,3", "4") == ["PKID,Model", "1,2,3", "4"]


def test_a_partner_without_rejected_rows_has_both_files(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())})
    folder = world.run().result.folder / "report" / "contoso"
    assert (folder / "errors.csv").read_text().startswith("source_file,source_line,")
    assert (folder / "resubmit.csv").read_text() == ""


def test_errors_name_place_reason_and_remedy_and_mask_serials(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {INTUNE[0]: "5CG1234ABC", TAG: "x"}, {INTUNE[0]: "SHORT"})
    text = (world.run().result.folder / "report" / "contoso" / "errors.csv").read_text()
    assert f"contoso/{TENANT}/a.csv,2,5C***BC,IDENTITY_PARTIAL_TUPLE," in text
    assert f"contoso/{TENANT}/a.csv,3,***,IDENTITY_PARTIAL_TUPLE," in text
    assert "5CG1234ABC" not in text


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

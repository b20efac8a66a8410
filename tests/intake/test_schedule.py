import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config import Limits
from pipeline.engine import InProcess, Processes
from pipeline.ingest import Manifest
from pipeline.intake.judge import Rulebook
from pipeline.intake.read_part import Delivered
from pipeline.intake.schedule import Front, _InParts, read_all
from pipeline.intake.staging import Staging
from pipeline.reference.tables import no_reference
from tests.conftest import AS_OF
from tests.ingest.test_records import HEADER, NEAR_MANIFESTS

OTHER_HEADER = b"Serial Number;PKID"
LINES = st.lists(
    st.sampled_from([HEADER, OTHER_HEADER, b"A1,,,HP,M", b"B2;33", b",,,,", b'"x', b"\xc3\x84,,,HP,M"]), max_size=40
)


def make_parts_small(patch):
    """Let small files have many parts."""
    patch.setattr("pipeline.ingest.survey.PART_BYTES", 40)
    patch.setattr("pipeline.intake.schedule._LARGE", 80)
    patch.setattr("pipeline.ingest.encoding.CHUNK", 16)
    patch.setattr("pipeline.ingest.encoding.BLOCK_BYTES", 16)


def read(folder, contents, executor, limits=None):
    """Rows of some files in order, without what tells only how they were read, and what is known of each file."""
    folder.mkdir()
    delivered = []
    for number, content in enumerate(contents):
        path = folder / f"{number}.csv"
        path.write_bytes(content)
        delivered.append(Delivered(number, Manifest(path, path.name, "contoso", None), len(content), frozenset()))
    staging = Staging(folder / "rows")
    files = []
    rulebook = Rulebook(no_reference("contoso"), AS_OF, 128)
    with executor:
        for taken in read_all(delivered, Front.of(rulebook, limits or Limits(), executor, staging)):
            files += taken.files
            for staged in taken.staged:
                if staged.part:
                    staging.add(staged.part)
    told = [(file.headers, file.delimiter, file.rows_read, file.fault, file.survey.sha256) for file in files]
    # Of a file without a header the line that is told as the nearest to one is looked for where reading begins.
    return [row for batch in staging.batches() for row in batch.drop("unheaded").iter_rows()], told


def both_ways(tmp_path_factory, contents, sample):
    folder = tmp_path_factory.mktemp("any")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.ingest.observation.SAMPLE", sample)
        whole = read(folder / "whole", contents, InProcess())
        make_parts_small(patch)
        return whole, read(folder / "parts", contents, InProcess())


def test_a_value_of_several_lines_may_stand_across_the_end_of_a_part(tmp_path_factory, monkeypatch):
    read_again = []
    again = _InParts._read_whole
    monkeypatch.setattr(_InParts, "_read_whole", lambda part, first: (read_again.append(part), again(part, first)))
    for before in range(0, 60, 7):
        rows = [b"A%d,,,HP,M" % number for number in range(before // 10)] + [b"B" * (before % 10) + b",,,HP,M"]
        content = b"\n".join([HEADER, *rows, b'C1,,,HP,"Latitude', b"of many", b'lines"', *rows, b""])
        whole, parts = both_ways(tmp_path_factory, [content], 60)
        assert parts == whole
        assert any("Latitude\nof many\nlines" in row for row in whole[0])
    assert 0 < len(read_again) < 9  # it did stand across one, and not always


@given(LINES, st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-16"]))
def test_reading_in_parts_changes_nothing_even_where_headers_change(tmp_path_factory, lines, encoding):
    content = b"\n".join([HEADER, *lines]).decode().encode(encoding)
    whole, parts = both_ways(tmp_path_factory, [content], 60)
    assert parts == whole


@given(st.lists(NEAR_MANIFESTS, max_size=3))
@example([b";\n" + HEADER])
@example([b";\n" * 30 + b"A1,,,HP,M\n" * 30])
def test_reading_any_bytes_in_parts_changes_nothing(tmp_path_factory, contents):
    whole, parts = both_ways(tmp_path_factory, contents, 60)
    assert parts == whole


def test_a_large_file_is_read_in_parts_at_all(tmp_path, monkeypatch):
    make_parts_small(monkeypatch)
    rows, _ = read(tmp_path / "a", [HEADER + b"\n" + b"A1,,,HP,M\n" * 200], InProcess())
    assert len(rows) == 200
    staged = {path.name.split(".")[0] for path in (tmp_path / "a" / "rows").glob("rows-*.arrow")}
    assert len(staged) > 1


def test_a_large_file_beyond_the_limit_is_unreadable_and_not_empty(tmp_path, monkeypatch):
    make_parts_small(monkeypatch)
    rows, told = read(tmp_path / "a", [HEADER + b"\n" + b"A1,,,HP,M\n" * 200], InProcess(), Limits(text=1_000))
    assert rows == []
    assert [fault for _, _, _, fault, _ in told] == ["FILE_TOO_LARGE"]


def test_worker_processes_give_the_same(tmp_path):
    contents = [HEADER + b"\n" + b"A%d,,,HP,M\n" % number * 100 for number in range(20)]
    assert read(tmp_path / "one", contents, InProcess()) == read(tmp_path / "three", contents, Processes(3))

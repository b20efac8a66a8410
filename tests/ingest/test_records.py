import gzip

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config import FILE_LIMIT
from pipeline.ingest import Forms, Manifest, begin_reading, file_read, ingest
from pipeline.ingest.encoding import read_text
from pipeline.ingest.headings import near_column
from pipeline.ingest.layout import CELLS
from pipeline.ingest.lines import RECORD_LIMIT
from tests.oracles import splitter as oracle

COUNT, HEADER_AGAIN = "RECORD_FIELD_COUNT", "RECORD_REPEATED_HEADER"
HEADER = b"Device Serial Number,Windows Product ID,Hardware Hash,Manufacturer name,Device model"


def read(tmp_path, content, name="manifest.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return read_file(path)


def read_file(path, limit=FILE_LIMIT):
    """What is known of a file that was read, and its rows, None where it has none."""
    reading = begin_reading(Manifest(path, path.name, "contoso", None), limit)
    batches = list(ingest([reading], Forms()))
    return file_read([reading]), pl.concat(batches) if batches else None


def seen(tmp_path, content, name="manifest.csv"):
    """Line, fault and serial of each record."""
    _, rows = read(tmp_path, content, name)
    return [] if rows is None else rows.select("source_line", "record_fault", "serial_number").rows()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"A1,,,HP,M\nA2,,,HP,M", [(2, None, "A1"), (3, None, "A2")]),
        (b"A1,,,HP,M\r\n\r\n,,,,\r\nA2,,,HP,M\r\n", [(2, None, "A1"), (5, None, "A2")]),
        (b" A1\t,,,HP,M\xc2\xa0\n", [(2, None, "A1")]),
        (b'"A1",,,"HP, Inc.",M\n', [(2, None, "A1")]),
        (b'"A""1",,,HP,M\n', [(2, None, 'A"1')]),
        (b'A1,,,"HP,M\nA2,,,HP,M\n', [(2, "RECORD_FIELD_COUNT", None), (3, None, "A2")]),
        (b"A1,,,HP\nA2,,,HP,M,,,\n", [(2, "RECORD_FIELD_COUNT", None), (3, None, "A2")]),
        (b"A2,,,HP,M\nA3,,,HP,M,x\n", [(2, None, "A2"), (3, "RECORD_FIELD_COUNT", None)]),
        (b"A\x001,,,HP,M\nA2,,,HP,M\n", [(2, "RECORD_NOT_TEXT", None), (3, None, "A2")]),
        (HEADER + b"\nA1,,,HP,M\n", [(2, "RECORD_REPEATED_HEADER", None), (3, None, "A1")]),
        (b"\xef\xbb\xbf" + HEADER + b"\nA1,,,HP,M\n", [(2, "RECORD_REPEATED_HEADER", None), (3, None, "A1")]),
        (b"PKID;Serial Number\n33;A9\n", [(2, "RECORD_REPEATED_HEADER", None), (3, None, "A9")]),
        (b"A1,,,HP,M\r\r\nA2,,,HP,M\r\r\r\n", [(2, None, "A1"), (3, None, "A2")]),
        (b'A1,,"T0\nx",HP,M\nA2,,,HP,M\n', [(2, None, "A1"), (4, None, "A2")]),
        (b'"A1\r\n",,,HP,M\r\nA2,,,HP,M\r\n', [(2, None, "A1"), (4, None, "A2")]),
        (b'A1,,,"HP\nInc",M\n', [(2, None, "A1")]),
        (b'A1,"1\n","T0\n\n",HP,M\nA2,,,HP,M\n', [(2, None, "A1"), (6, None, "A2")]),
        (b'A1,"1,\n",,HP,M\n', [(2, "RECORD_FIELD_COUNT", None), (3, "RECORD_FIELD_COUNT", None)]),
        (b'PKID\n"33\n34\n"\n', [(2, HEADER_AGAIN, None), (3, COUNT, None), (4, None, None), (5, COUNT, None)]),
        (b"Serial,Vendor,Line,\nA1,HP,7\n", [(2, "RECORD_REPEATED_HEADER", None), (3, None, "A1")]),
        (b"PKID,Serial,,\n33,A1,x,y\n34,A2\n", [(2, HEADER_AGAIN, None), (3, None, "A1"), (4, None, "A2")]),
        (b"PKID,Serial,\n33,A1,x,y\n34,A2,x,,\n", [(2, HEADER_AGAIN, None), (3, COUNT, None), (4, None, "A2")]),
        (b'PKID,Serial,\n33,"A\n1"\n34,"A\n2",x\n', [(2, HEADER_AGAIN, None), (3, None, "A\n1"), (5, None, "A\n2")]),
        (b'PKID,Serial,\n33,"A\nB,1"\n', [(2, HEADER_AGAIN, None), (3, COUNT, None), (4, COUNT, None)]),
    ],
)  # fmt: skip
def test_records_below_a_header(tmp_path, text, expected):
    assert seen(tmp_path, HEADER + b"\n" + text) == expected


@pytest.mark.parametrize(
    ("content", "encoding", "serial"),
    [
        (HEADER + "\nÄ1,,,HP,M\n".encode(), "utf-8", "Ä1"),
        (b"\xef\xbb\xbf" + HEADER + "\nÄ1,,,HP,M\n".encode(), "utf-8-sig", "Ä1"),
        (HEADER + "\nÄ3,,,HP,M\n".encode("cp1252"), "cp1252", "Ä3"),
        (("\ufeff" + HEADER.decode() + "\r\nÄ1,,,HP,M\r\n").encode("utf-16-le"), "utf-16-le", "Ä1"),
        (("\ufeff" + HEADER.decode() + "\nÄ1,,,HP,M").encode("utf-16-be"), "utf-16-be", "Ä1"),
        ((HEADER.decode() + "\nÄ2,,,HP,M\n").encode("utf-16-le"), "utf-16-le", "Ä2"),
        ((HEADER.decode() + "\rÄ1,,,HP,M\r").encode("utf-16-be"), "utf-16-be", "Ä1"),
        (HEADER + b"\n\x811,,,HP,M\n", "cp1252", "\x811"),
        (HEADER + "\n€Ÿ,,,HP,M\n".encode("cp1252"), "cp1252", "€Ÿ"),
    ],
)
def test_encodings(tmp_path, content, encoding, serial):
    file, rows = read(tmp_path, content)
    assert file.survey.encoding == encoding
    assert rows["serial_number"].to_list() == [serial]


def test_invalid_records_of_a_utf8_file_are_named(tmp_path):
    rows = seen(tmp_path, HEADER + "\nÄ1,,,HP,M\n".encode() + b"\xc41,,,HP,M\n")
    assert rows == [(2, None, "Ä1"), (3, "RECORD_NOT_TEXT", None)]


@pytest.mark.parametrize("half", [0xD800, 0xDC00])
def test_half_a_surrogate_is_no_text(tmp_path, half):
    text = HEADER.decode() + f"\nA{chr(half)}1,,,HP,M\nA2,,,HP,M\n"
    rows = seen(tmp_path, text.encode("utf-16-le", "surrogatepass"))
    assert rows == [(2, "RECORD_NOT_TEXT", None), (3, None, "A2")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(tmp_path, delimiter):
    content = HEADER.decode().replace(",", delimiter) + "\n" + f'A1,,,HP,"M{delimiter}1"'.replace(",", delimiter)
    file, rows = read(tmp_path, content.encode())
    assert file.delimiter == delimiter
    assert rows["model"].to_list() == [f"M{delimiter}1"]


@pytest.mark.parametrize(
    ("header", "row", "ignored", "others"),
    [
        (b",", b",note", True, "note"),
        (b",", b",", False, ""),
        (b",", b"", False, ""),
        (b",,", b",,note", True, "\nnote"),
        (b",Remark,", b",,note", True, "\nnote"),
        (b",Remark,", b",ours", True, "ours\n"),
        (b"," * 150, b"," * 100 + b"note", True, "\n" * 99 + "note"),
    ],
)
@pytest.mark.parametrize("maker", [b"HP", b'"HP"'])
def test_a_column_without_a_name_at_the_end_is_one_that_is_not_read(tmp_path, header, row, ignored, others, maker):
    content = HEADER + header + b"\nA1,,," + maker + b",M" + row + b"\n"
    _, rows = read(tmp_path, content, "manifest.csv")
    assert rows.select("record_fault", "model", "column_ignored").rows() == [(None, "M", ignored)]
    assert rows["other_cells"].to_list() == [others]
    assert len(rows["other_cells"][0].split("\n")) == len(others.split("\n"))


def test_headers_in_a_row_cost_no_sections(tmp_path):
    file, rows = read(tmp_path, (HEADER + b"\n") * 20_000 + b"A1,,,HP,M\n")
    assert rows.height == 20_000
    assert len(file.headers) == 1
    assert rows["serial_number"].drop_nulls().to_list() == ["A1"]


def test_lines_of_delimiters_alone_do_not_fill_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.ingest.records._LONGEST_OPENING", 40)
    monkeypatch.setattr("pipeline.ingest.lines.BLOCK_BYTES", 8)
    monkeypatch.setattr("pipeline.ingest.encoding.CHUNK", 8)
    monkeypatch.setattr("pipeline.ingest.encoding.BLOCK_BYTES", 8)
    _, rows = read(tmp_path, b",,,\n" * 20 + b";;;\n" + HEADER + b"\n")
    assert rows["source_line"].to_list() == [21, 22]


def test_many_unknown_columns_are_kept_together(tmp_path):
    names = ",".join(f"x{at}" for at in range(900))
    _, rows = read(tmp_path, f"PKID,{names}\n1{',=' * 900}\n".encode())
    assert rows["other_cells"][0] == "\n".join(["="] * 900)


def test_a_file_without_a_header_is_all_records(tmp_path):
    file, rows = read(tmp_path, b"\n;;\nA1;B1\nA2;B2\n")
    assert rows["source_line"].to_list() == [3, 4]
    assert file.findings() == ["FILE_HEADER_UNKNOWN"]


@pytest.mark.parametrize("content", [b"", HEADER, HEADER + b"\n\n,,,,\n", b"\xef\xbb\xbf", b",;\n\t\n"])
def test_nothing_but_a_header_is_empty(tmp_path, content):
    file, rows = read(tmp_path, content)
    assert rows is None
    assert file.disposition == "empty"


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.zst"])
def test_a_cut_archive_keeps_what_was_read(tmp_path, suffix):
    body = HEADER + b"\n" + b"".join(b"A%07d,,,HP,M%d\n" % (at * 7919 % 10**7, at**3) for at in range(60_000))
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "gzip" if suffix.endswith("gz") else "zstd") as stream:
        stream.write(body)
    file, rows = read(tmp_path, bytes(sink.getvalue())[:-1_000], "cut" + suffix)
    assert file.findings()[0] == "FILE_UNREADABLE"
    assert file.disposition == "unreadable"
    assert rows.height > 30_000
    assert rows["source_line"].to_list() == list(range(2, rows.height + 2))


@pytest.mark.parametrize(
    "change", [lambda path: path.write_bytes(b"x"), lambda path: path.unlink()], ids=["grown", "gone"]
)
def test_a_file_that_changes_while_it_is_read_is_unreadable(tmp_path, change):
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + b"\nA1,,,HP,M\n")
    reading = begin_reading(Manifest(path, "a.csv", "contoso", None), FILE_LIMIT)
    change(path)
    list(ingest([reading], Forms()))
    assert file_read([reading]).findings()[0] == "FILE_UNREADABLE"


def test_a_missing_file_is_unreadable(tmp_path):
    file, rows = read_file(tmp_path / "gone.csv")
    assert rows is None
    assert file.disposition == "unreadable"


@pytest.mark.parametrize("name", ["large.csv", "bomb.csv.gz"])
def test_nothing_is_read_of_a_file_beyond_the_limit(tmp_path, name):
    content = HEADER + b"\n" + b"A1,,,HP,M\n" * 10_000
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    file, rows = read_file(tmp_path / name, limit=50_000)
    assert rows is None
    assert file.findings()[0] == "FILE_TOO_LARGE"
    assert file.disposition == "unreadable"


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_nothing_is_read_of_a_file_of_more_rows_than_the_limit(tmp_path, end, encoding):
    for rows, code in ((7, []), (8, ["FILE_TOO_LARGE"])):
        path = tmp_path / f"{rows}.csv"
        path.write_bytes((HEADER + end + (b"A1,,,HP,M" + end) * rows).decode().encode(encoding))
        reading = begin_reading(Manifest(path, path.name, "contoso", None), FILE_LIMIT, 7)
        assert sum(found.height for found in ingest([reading], Forms())) == (0 if code else rows)
        assert [found for found in file_read([reading]).findings() if found.startswith("FILE")] == code


@pytest.mark.parametrize("many", [1_001, 100_000])
def test_nothing_is_read_below_a_header_of_too_many_columns(tmp_path, many):
    file, rows = read(tmp_path, HEADER + b",x" * (many - 5) + b"\nA1,,,HP,M\n")
    assert rows is None
    assert file.findings()[0] == "FILE_TOO_LARGE"


def test_a_file_of_too_many_headers_is_not_read_on(tmp_path):
    lines = [b"PKID,Note %d\n3305123456789,x\n" % number for number in range(300)]
    file, rows = read(tmp_path, b"".join(lines))
    assert file.findings()[0] == "FILE_TOO_LARGE"
    assert len(file.headers) == 100
    assert file.rows == rows.height + 1


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [RECORD_LIMIT, RECORD_LIMIT + 1, 3 * RECORD_LIMIT])
def test_a_record_too_large_is_cut_and_named(tmp_path, size, end):
    content = end.join([HEADER, b"A" * (size - 4) + b",,,,", b"A2,,,HP,M", b""])
    _, rows = read(tmp_path, content)
    too_large = size > RECORD_LIMIT
    assert rows["record_fault"].to_list() == ["RECORD_TOO_LARGE" if too_large else None, None]
    assert rows["raw_record"].str.len_bytes().max() <= RECORD_LIMIT


def test_a_product_key_is_in_no_column(tmp_path):
    key = b"AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"
    lines = [b"A1," + key + b",,HP,M", b"A2,,,HP," + key + b",x", key + b"\x00,,,,", b",,,," + key]
    _, rows = read(tmp_path, HEADER + b"\n" + b"\n".join(lines))
    assert rows["product_key_exposed"].all()
    assert key.decode() not in str(rows.to_dicts())


NEAR_MANIFESTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                HEADER,
                b"A1,,,HP,M",
                b'A1,,,"H,P",M',
                b'"',
                b",",
                b",,,,",
                b";",
                b"\t",
                b"\n",
                b"\r\n",
                b"\r",
                b"\x00",
                b"\xff",
                "Ä".encode(),
                b"\xc2\xa0",
                b"\xef\xbb\xbf",
                b"Serial Number;PKID",
                b"Hardware Hash",
                b"sep=;",
                b"#TYPE Object",
                b"Devices of March",
                b"A1,3305123456789,,HP,M",
                b'A1,,,HP,"M',
                b'"A1',
                b'",,,HP,M',
                b'"Hash";"Model"',
                b"Model,Make,X,",
                b"PKID,Group Tag,Assigned User",
                b"PKID,Serial,Note,,",
                b"PKID;;",
                b"33,A1,,x",
                b"33,,",
            ]
        ),
        st.binary(max_size=6),
    ),
    max_size=30,
).map(b"".join)


@given(NEAR_MANIFESTS)
@example(b'Hardware Hash\n"')
@example(b",;")
@example(b";\x00\n,")
@example(HEADER + b'\n"a""b,c"",,,\n')
@example(b"sep=;\nPKID,,\n33;x\n34,x,y\n")
@example(b'PKID,Serial,,\n33,"A\n1",x\n34,"A\n34,x"\n')
def test_agrees_with_the_oracle_on_any_bytes(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_bytes(content)
    file, rows = read_file(path)
    rows = pl.DataFrame(schema={"source_line": pl.UInt32}) if rows is None else rows
    expected, has_header = oracle.split(b"".join(read_text(path, file.survey.encoding, b"\n")))
    assert rows["source_line"].to_list() == [line for line, _, _ in expected]
    if not expected:
        return
    assert bool(file.headers) == has_header
    assert rows["record_fault"].to_list() == [fault for _, fault, _ in expected]
    for row, (_, _, cells) in zip(rows.select(CELLS).iter_rows(named=True), expected, strict=True):
        assert {name: value for name, value in row.items() if value} == {
            name: value for name, value in (cells or {}).items() if value
        }


def rows_of(readings):
    """All rows but what tells only how they were read."""
    batches = list(ingest(readings, Forms()))
    apart = ["section", "reading", "form", "raw_rest", "hash_at"]
    return pl.concat(batches).drop(apart).rows() if batches else []


def readings_of(folder, contents):
    paths = [folder / f"{number}.csv" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return [begin_reading(Manifest(path, path.name, "contoso", None), FILE_LIMIT) for path in paths]


@given(NEAR_MANIFESTS, st.integers(1, 40))
@example(b",\n\x00;", 1)
def test_the_size_of_blocks_changes_nothing(tmp_path_factory, content, size):
    folder = tmp_path_factory.mktemp("any")
    whole = rows_of(readings_of(folder, [content]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.ingest.lines.BLOCK_BYTES", size)
        patch.setattr("pipeline.ingest.records.BLOCK_BYTES", size)
        patch.setattr("pipeline.ingest.encoding.CHUNK", 7)
        patch.setattr("pipeline.ingest.encoding.BLOCK_BYTES", 7)
        assert rows_of(readings_of(folder, [content])) == whole


@given(NEAR_MANIFESTS)
def test_parsing_every_record_changes_nothing(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any")
    cut = rows_of(readings_of(folder, [content]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.ingest.cells._is_plain", lambda records: np.zeros(len(records.start), bool))
        assert rows_of(readings_of(folder, [content])) == cut


@given(st.lists(NEAR_MANIFESTS, max_size=5))
def test_reading_files_together_changes_nothing(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("any")
    together = rows_of(readings_of(folder, contents))
    assert together == [row for content in contents for row in rows_of(readings_of(folder, [content]))]


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04\x14\n\x01\x02,\nx\n",
        b"<html>\n<table>\n<tr><td>1</td></tr>\n",
        b"\r\n<!DOCTYPE html>\r\n<p>Sign in\r\n",
        b"<?xml version='1.0'?>\n<a/>\n",
    ],
)
def test_what_is_no_table_under_a_tables_name_is_one_row(tmp_path, content):
    file, rows = read(tmp_path, content)
    assert (file.findings()[0], rows["source_line"].to_list()) == ("FILE_HEADER_UNKNOWN", [1])


def test_zeros_behind_gzip_are_no_part_of_it(tmp_path):
    packed = gzip.compress(HEADER + b"\nA1,,,HP,M\n") + bytes(1_000)
    assert seen(tmp_path, packed, "a.csv.gz") == [(2, None, "A1")]


@pytest.mark.parametrize(
    ("name", "unclear"),
    [
        ("Grup Tag", True),  # one edit from five letters on
        ("Gruup Taag", False),  # two edits in eight letters
        ("Device Serail Nmber", True),  # two edits from twelve letters on, a swap being one
        ("Devise Serail Nmber", False),
        ("Assined User", True),
        ("Hardware Hash (new)", True),
        ("Location", False),
        ("UPM", False),  # three letters are too few
    ],
)
def test_a_name_within_the_limits_of_a_known_one_is_unclear(tmp_path, name, unclear):
    file, _ = read(tmp_path, b"PKID,Model," + name.encode() + b"\n3303123456789,M,x\n")
    assert ("COLUMN_UNCLEAR" in file.findings()) == unclear


@pytest.mark.parametrize("remark", ["(required)", " (Optional)", "(mandatory) *", ""])
def test_a_remark_that_changes_nothing(tmp_path, remark):
    file, _ = read(tmp_path, f"PKID{remark},Group Tag{remark}\n3303123456789,x\n".encode())
    assert ("COLUMN_UNCLEAR" in file.findings(), file.ignored_columns) == (False, [])


def test_the_distances_of_rapidfuzz_decide_what_is_unclear(tmp_path, monkeypatch):
    def unclear(name):
        file, _ = read(tmp_path, b"PKID,Model," + name + b"\n3303123456789,M,x\n")
        return "COLUMN_UNCLEAR" in file.findings()

    names = [b"Grup Tag", b"Cost center", b"Purchase date"]
    near_column.cache_clear()
    assert list(map(unclear, names)) == [True, False, False]
    for edits in (0, 99):
        near_column.cache_clear()
        monkeypatch.setattr("pipeline.ingest.headings.OSA.distance", lambda *_, edits=edits, **__: edits)
        assert list(map(unclear, names)) == [edits == 0] * 3
    near_column.cache_clear()


def wrapped(text, end="\n"):
    return end.join('"' + line.replace('"', '""') + '"' if line else "" for line in text.split("\n")).encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_that_are_one_quoted_cell_each_are_read_as_what_the_cells_hold(tmp_path, end, encoding):
    text = HEADER.decode() + '\nA1,,,HP,"840, G8"\n\nA2,,,HP,840\nA3,,,HP\n'
    file, rows = read(tmp_path, wrapped(text, end).decode().encode(encoding))
    assert "RECORD_UNWRAPPED" in file.findings()
    assert rows.select("source_line", "record_fault", "model").rows() == [
        (2, None, "840, G8"),
        (4, None, "840"),
        (5, COUNT, None),
    ]


@pytest.mark.parametrize(
    "content",
    [
        wrapped(HEADER.decode()) + b"\nA1,,,HP,M\n",  # one line is none
        wrapped(HEADER.decode() + "\nA1,,,HP,M").replace(b'HP,M"', b'HP","M"'),
        b'"PKID"\n"3305123456789"\n',  # nothing in the cells separates
    ],
)
def test_lines_that_are_not_all_wrapped_are_read_as_they_are(tmp_path, content):
    file, _ = read(tmp_path, content)
    assert "RECORD_UNWRAPPED" not in file.findings()


WIDE = "\ufeff" + HEADER.decode() + "\r\nÄ1,,,HP,M\r\n"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (
            WIDE.encode("utf-16-le") + b"A2,,,HP,M\r\nA3,,,HP,M\r\n",
            [(2, False, "Ä1"), (3, True, "A2"), (4, True, "A3")],
        ),
        (WIDE.encode("utf-16-be") + b"A2,,,HP,M\n", [(2, False, "Ä1"), (3, True, "A2")]),
        (
            WIDE.encode("utf-16-le") + b"A2,,,HP,M\r\n" + "A3,,,HP,M\r\n".encode("utf-16-le"),
            [(2, False, "Ä1"), (3, True, "A2"), (4, False, "A3")],
        ),
        (WIDE.encode("utf-16-le") + "Ö2,,,HP,M".encode("cp1252"), [(2, False, "Ä1"), (3, True, "Ö2")]),
        (HEADER + b"\nA1,,,HP,M\n" + "Ö2,,,HP,M\n".encode("utf-16-le"), [(2, False, "A1"), (3, True, "Ö2")]),
        (HEADER + b"\nA1,,,HP,M\n" + "Ö2,,,HP,M\n".encode("utf-16-be"), [(2, False, "A1"), (3, True, "Ö2")]),
    ],
    ids=["8-bit", "8-bit behind big-endian", "and again", "cp1252", "UTF-16", "UTF-16 big-endian"],
)
def test_lines_of_another_encoding_are_told_apart(tmp_path, content, lines):
    _, rows = read(tmp_path, content)
    assert rows.select("source_line", "encoding_mixed", "serial_number").rows() == lines


@pytest.mark.parametrize("line", [b"\0,\0,\0,HP", b"A\0B\0C\0D\0E", b"\0A\0B\0C\0D\0", b"\0" * 8])
def test_a_line_of_nuls_spoils_no_line_after_it(tmp_path, line):
    text = HEADER + b"\n" + line + b"\n" + b"A2,,,HP,M\nA3,,,HP,M\n"
    assert seen(tmp_path, text)[-2:] == [(3, None, "A2"), (4, None, "A3")]
    assert len(seen(tmp_path, text)) == 3


@pytest.mark.parametrize("content", [WIDE.encode("utf-16-le"), WIDE.encode("utf-16-be"), WIDE.encode()])
def test_lines_of_one_encoding_are_no_mixture(tmp_path, content):
    file, rows = read(tmp_path, content)
    assert not rows["encoding_mixed"].any()
    assert not file.survey.mixed

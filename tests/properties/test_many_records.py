"""A seeded long run: many damaged deliveries through whole runs, held against the slow splitter."""

import random
import zipfile

import polars as pl
import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory
from tests.conftest import TENANT, make_world
from tests.oracles import splitter as oracle
from tests.workbooks import a_workbook, write_sheets

pytestmark = pytest.mark.long

FILES_OF_A_NIGHT = 60
EACH_SO_MANY_A_WORKBOOK = 10
HEADERS = [
    "Device Serial Number,Windows Product ID,Hardware Hash,Manufacturer name,Device model",
    "Device Serial Number,Windows Product ID,Hardware Hash,Group Tag",
    "PKID;Serial Number;Other",
    "Hardware Hash\tTenant ID",
    "nothing,known",
]
ENCODINGS = {
    "utf-8": lambda text: text.encode(),
    "utf-8 with mark": lambda text: text.encode("utf-8-sig"),
    "utf-16-le with mark": lambda text: ("\ufeff" + text).encode("utf-16-le"),
    "utf-16-be with mark": lambda text: ("\ufeff" + text).encode("utf-16-be"),
    "cp1252": lambda text: text.encode("cp1252", "replace"),
}


def a_line(source, hashes, delimiter):
    """A line that is almost right, or not at all."""
    cells = [
        "A1",
        "5CG1234ABC",
        "",
        "HP",
        "Äöü",
        "3305123456789",
        " x ",
        '"a,b"',
        'a"b',
        "=1",
        "\u00a0",
        "\x00",
        "\u20ac",
    ]
    kind = source.random()
    if kind < 0.03:
        return source.choice(HEADERS)
    if kind < 0.06:
        return source.choice(["", delimiter * 4, "\t", '"', " ", "\r", '"' * source.randrange(5)])
    if kind < 0.10:
        text = source.choice(hashes)
        return text[: source.randrange(len(text))]
    width = source.choice([3, 4, 5, 5, 5, 6])
    row = [source.choice(cells) for _ in range(width)]
    if kind < 0.2:
        row[2] = source.choice(hashes)
    return delimiter.join(row)


def a_manifest(source, hashes, lines):
    """Bytes of a manifest, and its text as UTF-8 where the encoding is known, else None."""
    header = source.choice(HEADERS)
    delimiter = next(name for name in ",;\t" if name in header)
    end = source.choice(["\n", "\r\n", "\r"])
    text = end.join([header, *(a_line(source, hashes, delimiter) for _ in range(lines))])
    text = text if source.random() < 0.5 else text + end
    name = source.choice(list(ENCODINGS))
    content = ENCODINGS[name](text)
    if name != "cp1252" and source.random() < 0.8:
        return content, text.encode()
    if name == "cp1252":
        return content, None
    cut = bytearray(content)
    for _ in range(source.randrange(4)):
        cut[source.randrange(len(cut))] = source.randrange(256)
    return bytes(cut[: source.randrange(len(cut) // 2, len(cut) + 1)]), None


def expected_records(content, text):
    """Lines of all records, where the text is known; elsewhere None."""
    return None if text is None else sorted(number for number, _, _ in oracle.split(text)[0])


def expected_rows(sheets):
    """By sheet the rows of all records; none of one that is passed over."""
    return {name: [row for row, *_ in records or ()] for name, records in oracle.split_workbook(sheets).items()}


def test_every_record_of_many_is_in_exactly_one_set(tmp_path_factory, request):
    wanted, seen, compared = request.config.getoption("--records"), 0, 0
    source = random.Random(request.config.getoption("--seed"))
    factory = Factory(source)
    hashes = [capture(factory.device()) for _ in range(50)]
    night = 0
    while seen < wanted:
        night += 1
        world = make_world(tmp_path_factory.mktemp("night"), factory)
        expected, contents = {}, set()
        for number in range(FILES_OF_A_NIGHT):
            if number % EACH_SO_MANY_A_WORKBOOK == 0:
                name, sheets = (
                    f"contoso/{TENANT}/{number:03d}.xlsx",
                    a_workbook(source, source.choice([1, 10, 100, 300])),
                )
                path = world.put(name, b"")
                write_sheets(path, sheets)
                with zipfile.ZipFile(path, "a") as packed:
                    packed.comment = name.encode()  # no two are equal
                expected |= {f"{name}#{sheet}": rows for sheet, rows in expected_rows(sheets).items()}
                continue
            content, text = a_manifest(source, hashes, source.choice([0, 1, 10, 100, 1_000]))
            if content in contents:  # of equal files of one run one is read
                continue
            contents.add(content)
            world.put(f"contoso/{TENANT}/{number:03d}.csv", content)
            expected[f"contoso/{TENANT}/{number:03d}.csv"] = expected_records(content, text)
        published = world.run(dry_run=True, workers=1 + night % 2)
        keys = ["source_file", "source_line"]
        rows = pl.concat([published.registered.select(keys), published.rejected.select(keys)])
        assert rows.height == rows.unique().height == published.manifest["rows"]["read"]
        found = {file: sorted(lines) for file, lines in rows.group_by("source_file").agg("source_line").iter_rows()}
        for file, lines in expected.items():
            if lines is not None:
                assert found.get(file, []) == lines, (night, file)
                compared += len(lines)
        seen += rows.height
    print(f"{seen:,} records of {night} nights, {compared:,} held against the slow splitter")  # noqa: T201 - a report

"""Workbooks of any cells, held against the slow splitter."""

import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import FILE_LIMIT
from pipeline.ingest import Forms, Manifest, begin_reading, file_read, ingest, with_sheets
from tests.oracles import splitter as oracle
from tests.workbooks import a_workbook, write_sheets


def read(path):
    """By sheet its records, as the oracle has them, None for one that is passed over."""
    found = {}
    for manifest in with_sheets([Manifest(path, "a.xlsx", "contoso", None)], lambda _: ()):
        reading, forms = begin_reading(manifest, FILE_LIMIT), Forms()
        rows = [row for batch in ingest([reading], forms) for row in batch.iter_rows(named=True)]
        file = file_read([reading])
        assert file.fault is None
        found[manifest.sheet] = None if reading.passed_over else [as_record(row, file, forms) for row in rows]
    return found


def as_record(row, file, forms):
    if row["record_fault"] or not file.headers:
        return row["source_line"], row["record_fault"], None, set()
    names = [name for name in forms.headers[row["form"]].columns if name]
    values = {name: row[name] and row[name].replace("\v", "\n") for name in names}
    return row["source_line"], None, values, set((row["spoilt_cells"] or "").split()) - {"manufacturer"}


@given(st.integers(0, 2**32))
def test_any_workbook_is_read_as_it_is_explained(tmp_path_factory, seed):
    sheets = a_workbook(random.Random(seed), 8)
    path = tmp_path_factory.mktemp("any") / "a.xlsx"
    write_sheets(path, sheets)
    expected = oracle.split_workbook(sheets)
    for records in expected.values():
        for record in records or ():
            record[3].discard("manufacturer")  # a number there is not said to be damage, nor not to be
    assert read(path) == expected

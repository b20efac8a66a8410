import random
import uuid

import polars as pl
import pytest

from pipeline.devices import sorting
from pipeline.devices.sorting import SortedRows

TYPES = {"name": pl.String(), "device_id": pl.String(), "more": pl.Int64()}


@pytest.mark.parametrize("rows", [0, 1, 49, 50, 51, 100, 333])
@pytest.mark.parametrize("descending", [False, True])
def test_rows_come_out_as_if_they_had_been_sorted_in_memory(monkeypatch, rows, descending):
    monkeypatch.setattr(sorting, "AT_ONCE", 50)
    source = random.Random(rows)
    names = [source.choice([None, "", "a", "B", "\u00fc", "zz"]) for _ in range(rows)]
    ids = [str(uuid.UUID(int=source.getrandbits(128))) for _ in range(rows)]
    whole = pl.DataFrame({"name": names, "device_id": ids, "more": range(rows)}, TYPES)
    whole = whole.sample(fraction=1, shuffle=True, seed=rows)
    with SortedRows(TYPES, "name", descending=descending) as told:
        for part in whole.iter_slices(17):
            told.write(part)
        told.finish()
        expected = whole.sort("name", "device_id", descending=[descending, False], nulls_last=True)
        for _ in range(2):
            parts = list(told)
            assert pl.concat(parts).equals(expected)
            assert max(part.height for part in parts) <= 50
        assert told.height == rows


def test_what_was_on_disk_is_gone(monkeypatch, tmp_path):
    monkeypatch.setattr(sorting, "AT_ONCE", 5)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with SortedRows(TYPES, "name", descending=False) as told:
        told.write(pl.DataFrame({"name": ["a"] * 9, "device_id": [str(uuid.UUID(int=1))] * 9, "more": [1] * 9}, TYPES))
        told.finish()
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())

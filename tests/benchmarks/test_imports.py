"""An export imported, imported again as it is, and again when one in a hundred of its records changed."""

import multiprocessing
import random
import resource
import time

import polars as pl
import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory
from pipeline.registry import Registry
from pipeline.registry.importing import import_records
from schemas.registry import IMPORT_COLUMNS
from tests.benchmarks.registries import devices
from tests.conftest import TENANT

pytestmark = pytest.mark.benchmark

_WITH_HASH, _CHANGED = 20, 100
"""One record in so many has a hash; so many times more than change."""

_MOST_MEMORY_MB = 1_500


def export(rows):
    """An export of so many records, with `record`, their number."""
    known = devices(1, 1, rows).select("serial_number", "manufacturer", "model", windows_product_id="product_id")
    factory = Factory(random.Random(1))
    hashes = [capture(factory.device()) for _ in range(rows // _WITH_HASH)]
    of_hash = pl.DataFrame({"record": range(0, rows // _WITH_HASH * _WITH_HASH, _WITH_HASH), "hardware_hash": hashes})
    records = known.with_row_index("record").join(
        of_hash.cast({"record": pl.UInt32}), on="record", how="left", maintain_order="left"
    )
    # What else stands beside a hash would be another device's.
    bare = [pl.when(pl.col("hardware_hash").is_null()).then(name).alias(name) for name in known.columns]
    return records.with_columns(
        *bare, tenant_id=pl.lit(TENANT), registered_via=pl.lit("intune"), group_tag=pl.lit("a")
    ).with_columns(pl.lit(None, pl.String).alias(name) for name in ("partner_id", "registered_at"))


def timed(folder, path, told):
    """Import in a process of its own, whose memory is no other's; `told` gets counts, seconds and MB."""
    begun = time.perf_counter()
    result = import_records(Registry.open(folder, create=True), path)
    seconds = time.perf_counter() - begun
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told.put((result.imported, result.changed, result.unchanged, len(result.refused), seconds, megabytes))


def imported(folder, path):
    spawned = multiprocessing.get_context("spawn")
    told = spawned.Queue()
    process = spawned.Process(target=timed, args=(folder, path, told))
    process.start()
    *counts, seconds, megabytes = told.get()
    process.join()
    return counts, seconds, megabytes


def test_an_export_and_again_with_few_changes(request, tmp_path, capsys):
    rows = request.config.getoption("--rows")
    records, path, folder = export(rows), tmp_path / "export.csv", tmp_path / "registry"
    tags = {
        "first": "a",
        "again": "a",
        "changed": pl.when(pl.col("record") % _CHANGED == 0).then(pl.lit("b")).otherwise("group_tag"),
    }
    changed = (rows + _CHANGED - 1) // _CHANGED
    expected = {"first": [rows, 0, 0, 0], "again": [0, 0, rows, 0], "changed": [0, changed, rows - changed, 0]}
    for name, tag in tags.items():
        named = pl.lit(tag) if isinstance(tag, str) else tag
        records.with_columns(group_tag=named).select(IMPORT_COLUMNS).write_csv(path)
        counts, seconds, megabytes = imported(folder, path)
        with capsys.disabled():
            print(f"\n{name}: {rows:,} records in {seconds:.1f} s, {megabytes:,.0f} MB")
        assert counts == expected[name]
        assert megabytes < _MOST_MEMORY_MB or name == "first"

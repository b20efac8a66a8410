"""A night of departures beside one of as many registrations, against the same registry, by the real command."""

import json
import os
import shutil

import polars as pl
import pytest

from pipeline.registry import Registry
from pipeline.registry.compacting import compact
from tests.benchmarks.deliveries import delivery
from tests.benchmarks.registries import _TENANTS, build, devices
from tests.benchmarks.test_night import measured
from tests.conftest import AUTHORIZATIONS, PARTNERS

pytestmark = pytest.mark.benchmark

SEED = 5
MOST_TIMES = 1.5
"""Times that departures may take of what registrations do."""


def write_departures(inbox, rows):
    """Registered devices leave, a third each by its id, by product ID, and by serial number and manufacturer."""
    number = pl.int_range(rows, eager=True)
    named = devices(SEED, 0, rows).select("serial_number", "product_id", "manufacturer")
    way = number % 3
    own = pl.concat_str(number.cast(pl.String).str.pad_start(8, "0"), pl.lit("-0000-4000-8000-000000000000"))
    cells = named.with_columns(number=number, way=way).select(
        pl.when(pl.col("way") == 0).then(own).alias("Device ID"),
        pl.when(pl.col("way") == 1).then("product_id").alias("Windows Product ID"),
        pl.when(pl.col("way") == 2).then("serial_number").alias("Device Serial Number"),
        pl.when(pl.col("way") == 2).then("manufacturer").alias("Manufacturer name"),
        _TENANTS.gather(number % len(_TENANTS)).alias("Tenant ID"),
    )
    folder = inbox / "contoso" / "departures"
    folder.mkdir(parents=True)
    cells.write_csv(folder / "out.csv")


def test_departures_beside_registrations(tmp_path, request, capsys):
    rows, existing = request.config.getoption("--rows"), request.config.getoption("--existing")
    place = request.config.getoption("--registry") or tmp_path / "built"
    if not place.exists():
        compact(build(place, SEED, existing))
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "partners.csv").write_text(PARTNERS)
    consents = "".join(f"contoso,{tenant},active,2024-01-01T00:00:00Z,\n" for tenant in _TENANTS)
    (tmp_path / "reference" / "authorizations.csv").write_text(AUTHORIZATIONS + consents)
    write_departures(tmp_path / "leaving", rows)
    (tmp_path / "coming" / "contoso" / _TENANTS[0]).mkdir(parents=True)
    (tmp_path / "coming" / "contoso" / _TENANTS[0] / "in.csv").write_text(delivery(SEED, rows))
    took = {}
    for inbox in ("coming", "leaving"):
        shutil.rmtree(tmp_path / "registry", ignore_errors=True)
        shutil.copytree(place, tmp_path / "registry", copy_function=os.link)  # no file of a registry ever changes
        took[inbox] = measured("run", inbox, "--run-id", inbox, "--output", f"{inbox}-runs", cwd=tmp_path)
        manifest = json.loads((tmp_path / f"{inbox}-runs" / inbox / "run.json").read_text())
        done = "registered" if inbox == "coming" else "deregistered"
        with capsys.disabled():
            print(f"\n{inbox}: {took[inbox][0]:.1f} s, {took[inbox][1]:,.0f} MB, {manifest['rows'][done]:,} {done}")
            print(f"  {manifest['seconds']}")
        assert manifest["rows"][done] == rows, manifest["reasons"]
    assert took["leaving"][0] <= MOST_TIMES * took["coming"][0]
    assert len(Registry.open(tmp_path / "registry", create=False).removed_ids()) == rows

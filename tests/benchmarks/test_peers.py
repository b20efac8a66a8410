"""The matcher beside others of its kind, on the same labelled night: F1 and seconds. Needs the extra `peers`."""

import time
from dataclasses import dataclass

import polars as pl
import pytest
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from pipeline.match import match
from pipeline.match.keys import with_blocking_keys
from pipeline.registry.compacting import compact
from schemas.matches import Verdict
from tests.benchmarks.registries import build, devices, labelled

pytestmark = pytest.mark.benchmark

_SURVIVED = 5_000, 50_000
"""Rows and records that comparing all with all survives."""


@dataclass
class Score:
    name: str
    seconds: float
    wrong: int
    precision: float
    recall: float

    def told(self):
        f1 = 2 * self.precision * self.recall / (self.precision + self.recall)
        return (
            f"{self.name:<34} {self.seconds:8.1f} s  precision {self.precision:.4f}  recall {self.recall:.4f}  "
            f"F1 {f1:.4f}  {self.wrong:,} wrong merges"
        )


def scored(name, seconds, night, found):
    """`found`: one row a row that is said to be registered: `row` and `record`."""
    told = night.select("row", "truth").join(found, on="row", how="left", validate="1:1")
    hits = told.filter(pl.col("record").is_not_null() & pl.col("record").eq_missing(pl.col("truth"))).height
    said, true = told["record"].count(), told["truth"].count()
    return Score(name, seconds, said - hits, hits / max(said, 1), hits / true)


def ours(night, registry):
    begun = time.perf_counter()
    matches = match(with_blocking_keys(night.drop("scenario", "truth")), registry)
    seconds = time.perf_counter() - begun
    same = matches.registered.filter(pl.col("verdict") == Verdict.SAME)
    found = matches.profiles.join(same, on="profile", how="inner").sort("row", "score", descending=[False, True])
    return scored("autopilot-intake", seconds, night, found.unique("row", keep="first").select("row", "record"))


def splink(night, existing):
    """Splink as its documentation shows: trained on the data, one to one, the probability above a half."""
    import splink.comparison_library as cl  # noqa: PLC0415 - an extra
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on  # noqa: PLC0415 - an extra

    columns = ["unique_id", "tpm_ek_id", "smbios_uuid", "serial_number", "manufacturer", "model", "product_id"]
    lists = ["mac_addresses", "disk_serials"]
    database = DuckDBAPI()
    begun = time.perf_counter()
    tables = [
        database.register(
            frame.rename({name: "unique_id"}).select(*columns, *lists).to_arrow(), dataset_display_name=called
        )
        for frame, name, called in ((night, "row", "night"), (existing, "record", "registry"))
    ]
    exact = ("tpm_ek_id", "smbios_uuid", "serial_number", "product_id", "model")
    settings = SettingsCreator(
        link_type="link_only",
        blocking_rules_to_generate_predictions=[block_on(name) for name in exact[:4]],
        comparisons=[*map(cl.ExactMatch, exact), *(cl.ArrayIntersectAtSizes(name, [1]) for name in lists)],
    )
    linker = Linker(tables, settings, log_level=None)
    linker.training.estimate_probability_two_random_records_match([block_on("serial_number")], recall=0.9)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e7, seed=1)
    for rule in ("serial_number", "smbios_uuid"):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(rule))
    trained = time.perf_counter()
    predicted = linker.inference.predict(threshold_match_probability=0.5).as_duckdbpyrelation().pl()
    seconds = time.perf_counter() - trained
    best = predicted.sort("match_probability", descending=True).unique("unique_id_l", keep="first", maintain_order=True)
    found = best.select(row=pl.col("unique_id_l").cast(pl.UInt32), record=pl.col("unique_id_r").cast(pl.UInt32))
    return scored(f"Splink (training {trained - begun:.0f} s more)", seconds, night, found)


def edit_distance(night, existing):
    """Every serial number against every other; the nearest within one edit is taken for the same."""
    begun = time.perf_counter()
    found, names = [], existing["serial_number"].to_list()
    for part in night.iter_slices(500):
        distances = cdist(part["serial_number"].to_list(), names, scorer=OSA.distance, score_cutoff=1, workers=-1)
        nearest = distances.argmin(axis=1)
        close = distances[range(len(nearest)), nearest] <= 1
        found.append(pl.DataFrame({"row": part["row"], "record": pl.Series(nearest, dtype=pl.UInt32)}).filter(close))
    return scored("rapidfuzz cdist on serials", time.perf_counter() - begun, night, pl.concat(found))


def test_beside_peers(tmp_path, request, capsys):
    pytest.importorskip("splink", reason="pip install -e .[peers]")
    rows, existing = request.config.getoption("--rows"), request.config.getoption("--existing")
    registry = build(tmp_path / "registry", 1, existing)
    compact(registry)
    registry = registry.reopened()
    known = devices(1, 0, existing).with_row_index("record")
    night = labelled(1, rows, existing)
    scores = [ours(night, registry), splink(night, known)]
    small_rows, small_existing = (min(ours, most) for ours, most in zip((rows, existing), _SURVIVED, strict=True))
    small, few = labelled(1, small_rows, small_existing), known.head(small_existing)
    small_registry = build(tmp_path / "small", 1, small_existing)
    scores_small = [ours(small, small_registry), edit_distance(small, few)]
    with capsys.disabled():
        print(f"\n{rows:,} rows against {existing:,} records")
        print("\n".join(score.told() for score in scores))
        print(f"{small_rows:,} rows against {small_existing:,} records")
        print("\n".join(score.told() for score in scores_small))
    assert scores[0].wrong == scores_small[0].wrong == 0

"""The matcher: keys, candidates, comparison, clusters. It proposes; `decide` disposes."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from pipeline import arrays
from pipeline.errors import Fault
from pipeline.match.candidates import JUNK, pairs_against, pairs_within
from pipeline.match.compare import Records, compare
from pipeline.match.devices import form_devices
from pipeline.match.existing import ExistingRecords
from pipeline.match.lookalikes import find_lookalikes
from pipeline.match.profiles import Profiles, numbered
from schemas.matches import REGISTERED_TYPES, Matches


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who is to be compared, since they share keys.

    Attributes:
        rows: one row a row of the batch that may be registered, in order: `row` and `profile`.
        has_hash: of each profile, in order.
        within: pairs of profiles, `left` and `right`, in their order; a profile of several rows is also paired with
            itself.
        against: pairs of a profile, `left`, and the position of an existing record, `right`, in their order.
        crowded: as in `Matches`.
    """

    rows: pl.DataFrame
    has_hash: pl.Series
    within: pl.DataFrame
    against: pl.DataFrame
    crowded: pl.DataFrame


def match(devices: pl.DataFrame, existing: ExistingRecords, eligible: pl.Series | None = None) -> Matches:
    """Compare the rows of a batch with each other and with the registry.

    Args:
        devices: one row a row, in the order of `row`: that, and the columns of `COMPONENT_TYPES` and
            `pipeline.match.keys.BLOCKING_TYPES`.
        existing: the registry as of one version.
        eligible: which of them may be registered; all where None.

    Raises:
        Fault: the rows are in another order.
    """
    candidates, profiles = find_candidates(devices, existing, eligible)
    return compare_all(candidates, profiles, existing)


def find_candidates(
    devices: pl.DataFrame, existing: ExistingRecords, eligible: pl.Series | None = None
) -> tuple[Candidates, Profiles]:
    """Find who is to be compared, and the contents that are; the arguments are those of `match`.

    Raises:
        Fault: the rows are in another order.
    """
    if not devices["row"].is_sorted():
        message = "rows to be matched are not in their order; nothing was published, please report this"
        raise Fault(message)
    rows, profiles = numbered(devices, eligible)
    pairs, crowds_within = pairs_within(profiles.keys)
    twins = arrays.repeated(rows["profile"])
    themselves = pl.DataFrame({"left": twins, "right": twins})
    against, crowds_against = pairs_against(profiles.keys, existing.holders)
    candidates = Candidates(
        rows=rows,
        has_hash=profiles.keys["has_hash"],
        within=pl.concat([pairs, themselves]).sort("left", "right"),
        against=against,
        crowded=_crowded(pl.concat([crowds_within, crowds_against]), profiles),
    )
    return candidates, profiles


def compare_all(candidates: Candidates, profiles: Profiles, existing: ExistingRecords) -> Matches:
    """Compare all that `find_candidates` gives."""
    return compare_candidates(candidates, profiles, existing, lambda met: find_lookalikes(profiles, met, existing))


def compare_candidates(
    candidates: Candidates,
    profiles: Records,
    existing: ExistingRecords,
    lookalikes: Callable[[pl.Series], pl.DataFrame],
) -> Matches:
    """Compare who is to be compared.

    Args:
        candidates: all of a batch, or what is connected with some of them.
        profiles: the contents.
        existing: the registry.
        lookalikes: gives, knowing the profiles that met a registration, what `find_lookalikes` finds.
    """
    within = compare(candidates.within, profiles, profiles)
    met = _compare_registered(candidates.against, profiles, existing)
    registered = pl.concat([met, lookalikes(met["profile"])], how="vertical_relaxed")
    return Matches(
        profiles=form_devices(candidates.rows, candidates.has_hash, within, registered),
        within=within,
        registered=registered,
        crowded=candidates.crowded,
        ended=_compare_ended(candidates.against, profiles, existing),
    )


def _compare_ended(pairs: pl.DataFrame, profiles: Records, existing: ExistingRecords) -> pl.DataFrame:
    records = existing.ended_records(pairs["right"]).with_row_index("at")
    placed = pairs.join(records, left_on="right", right_on="record", how="inner", validate="m:1")
    compared = compare(placed.select("left", "device_id", "tenant_id", "ended_in", right="at"), profiles, records)
    return compared.select("device_id", "tenant_id", "ended_in", "verdict", "evidence", profile="left")


def _crowded(crowds: pl.DataFrame, profiles: Profiles) -> pl.DataFrame:
    return (
        crowds.rename({"left": "profile"})
        .with_columns(has_tpm=profiles.keys["tpm_key"].is_not_null().gather(crowds["left"]))
        .select(
            "profile",
            "key",
            "holders",
            # What few share may be a component of theirs; only what many share is surely nobody's.
            told_apart=(pl.col("key") == "uuid_key") & pl.col("has_tpm") & (pl.col("holders") > JUNK),
        )
        .sort("profile", "key", "holders")
    )


def _compare_registered(pairs: pl.DataFrame, profiles: Records, existing: ExistingRecords) -> pl.DataFrame:
    records = existing.records(pairs["right"]).with_row_index("at")
    places = records.select("at", "record")
    placed = pairs.join(places, left_on="right", right_on="record", how="inner", validate="m:1")
    compared = compare(placed.select("left", right="at"), profiles, records)
    told = compared.join(
        records.select("at", "record", "device_id", "tenant_id", "registered_via", registered_has_hash="has_hash"),
        left_on="right",
        right_on="at",
        how="left",
        maintain_order="left",
        validate="m:1",
    )
    return told.rename({"left": "profile"}).select(list(REGISTERED_TYPES))

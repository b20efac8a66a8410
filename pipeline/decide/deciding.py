"""Findings and evidence to one decision for each row. Matching proposes; nothing but this disposes."""

import numpy as np
import polars as pl

from pipeline import arrays
from pipeline.decide.finding import MATCH_CODES, find
from pipeline.decide.heeding import FACTS, heed
from pipeline.errors import Fault
from schemas.matches import Matches, Verdict
from schemas.reasons import CATALOGUE, REASON_CODES
from schemas.registry import CUSTOMER_PORTALS

_LEARNING = ("REGISTERED_BY_CUSTOMER", "ALREADY_REGISTERED")

_TOLD = ("matched_device_id", "matched_row", "met_rows", "evidence")


def listed(rows: pl.DataFrame, codes: tuple[str, ...]) -> pl.Series:
    """For each row the list of the codes that it has, of those given and in their order."""
    found = rows.select(pl.col(codes).fill_null(value=False)).to_numpy()
    row, code = np.nonzero(found)
    return arrays.lists(rows.height, row, pl.Series(codes).gather(code))


def has_reason(findings: pl.DataFrame) -> pl.Series:
    """Which rows have a finding that rejects them; one that could not be made counts as one."""
    reasons = [pl.col(name).fill_null(value=True) for name in findings.columns if name in REASON_CODES]
    return findings.select(rejected=pl.any_horizontal(pl.lit(value=False), *reasons))["rejected"]


def decide(
    rows: pl.DataFrame,
    findings: pl.DataFrame,
    matches: Matches,
    departed: pl.Series | None = None,
    words: pl.DataFrame | None = None,
    found: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Turn what was found about each row into what becomes of it.

    Args:
        rows: one row a record: `row` (ascending by file name and line), `tenant_id`, `identity`, `captured_at`.
        findings: for each of them, in order, a Boolean column for each code found before matching.
        matches: what matching says of the rows without such reasons.
        departed: for each of them the ended registration of which it is known that the same asked for it; None where
            there is none.
        words: what operators have said of rows (`pipeline.requests.words`); None where nobody has.
        found: what `pipeline.decide.find` gives, where somebody has asked before.

    Returns:
        One row for each, in order: `row`, a Boolean column for each code of the catalogue, `matched_device_id`,
        `matched_row`, `met_rows` (at most five rows of the batch, the nearest first), `evidence`,
        `learns_device_id` (the registration without a hash that learns the row's), and the primary `reason` (null
        where the row is registered).
    """
    found = find(rows, matches) if found is None else found
    left = pl.lit(None, pl.String) if departed is None else departed
    heard = _heeding(rows, found, matches, words)
    complete = findings if departed is None else findings.with_columns(DEVICE_LEFT=departed.is_not_null())
    codes = concluded(rows, heard.select("row", *MATCH_CODES), complete, MATCH_CODES)
    repaired = _repaired(rows, codes, matches)
    told = _told(codes, heard, rows.select("row", left=left).drop_nulls("left"), repaired)
    _require_matched(codes, matches)
    return beside(codes.with_columns(DEVICE_REPAIRED=pl.col("row").is_in(repaired["row"].implode())), told).select(
        "row", *CATALOGUE, *_TOLD, "learns_device_id", "reason"
    )


def _told(codes: pl.DataFrame, heard: pl.DataFrame, left: pl.DataFrame, repaired: pl.DataFrame) -> pl.DataFrame:
    """What is told of the rows of which anything is, which are few."""
    learning = codes.filter(pl.col("reason").is_in(_LEARNING) & ~pl.col("AMBIGUOUS_MATCH"))["row"]
    has_left = pl.when(pl.col("left").is_not_null()).then(pl.format("asked for before, and ended: {}", "left"))
    evidence = pl.concat_str("old_evidence", "evidence", has_left, separator=" | ", ignore_nulls=True)
    told = pl.concat([frame.select("row") for frame in (heard, left, repaired)]).unique()
    for frame in (heard.drop(MATCH_CODES), left, repaired):
        told = told.join(frame, on="row", how="left", validate="1:1")
    return told.select(
        "row",
        "matched_row",
        "met_rows",
        # What a row meets that is live is named before what has ended.
        matched_device_id=pl.coalesce("old_device_id", "matched_device_id", "left"),
        evidence=evidence.replace("", None),
        learns_device_id=pl.when(pl.col("row").is_in(learning.implode())).then("learnable"),
    )


def _heeding(rows: pl.DataFrame, found: pl.DataFrame, matches: Matches, words: pl.DataFrame | None) -> pl.DataFrame:
    """What was found, and what operators have said of it, who may speak of rows that met nothing."""
    codes = found.drop(FACTS)
    if words is None or words.is_empty():
        return codes
    matched = words.join(matches.profiles, on="row", how="semi")
    every = rows.select("row").join(codes, on="row", how="left", maintain_order="left", validate="1:1")
    return heed(every.with_columns(pl.col(MATCH_CODES).fill_null(value=False)), found, matched, CUSTOMER_PORTALS)


def beside(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The same rows, which ascend, and beside each what was found of it by its `row`; null where nothing was.

    Raises:
        Fault: what was found is of another row, or of one twice; or they do not ascend.
    """
    at = rows["row"].search_sorted(found["row"])
    places = np.full(rows.height + 1, -1)
    places[at.to_numpy()] = np.arange(found.height)
    is_own = rows["row"].gather(at, null_on_oob=True).equals(found["row"])
    if not is_own or np.count_nonzero(places >= 0) < found.height:
        message = "what was found is not of these rows, of each once; nothing was published, please report this"
        raise Fault(message)
    own = found.drop("row").select(pl.all().gather(arrays.positions(places[:-1])))
    return pl.concat([rows, own], how="horizontal")


def concluded(rows: pl.DataFrame, found: pl.DataFrame, findings: pl.DataFrame, codes: tuple[str, ...]) -> pl.DataFrame:
    """Put what was found about rows together: the first reason of the catalogue is the primary one.

    Args:
        rows: one row a record: `row`.
        found: of some of them a Boolean column for each of these codes, and what is told beside.
        findings: for each of them, in order, a Boolean column for each code found before matching; of the codes that
            both have, what was found later counts.
        codes: of what was found.

    Returns:
        One row for each, in order: `row`, a Boolean column for each code of the catalogue, what is told, and the
        primary `reason`, null where there is none.
    """
    judged = beside(rows.select("row"), found).with_columns(pl.col(codes).fill_null(value=False))
    before = findings.drop(codes, strict=False)
    complete = pl.concat([judged, before], how="horizontal").with_columns(
        pl.lit(value=False).alias(code) for code in CATALOGUE if code not in before.columns and code not in codes
    )
    # Most rows are not rejected; the reasons of the others are numbers while they are looked for.
    rejected = complete.select("row", *REASON_CODES).filter(pl.any_horizontal(REASON_CODES))
    primary = pl.coalesce(pl.when(code).then(pl.lit(code, pl.Enum(REASON_CODES))) for code in REASON_CODES)
    return beside(complete, rejected.select("row", reason=primary.cast(pl.String)))


def _repaired(rows: pl.DataFrame, decided: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """Rows to be registered that are devices of ended registrations of their tenant, with another board.

    Returns:
        `row`, and `old_device_id` and `old_evidence` of the one that ended last.
    """
    old = matches.ended.filter(pl.col("verdict") == Verdict.BOARD_REPLACED)
    rows_of = matches.profiles.select("row", "profile").join(old, on="profile", how="inner")
    own = rows.select("row", own_tenant="tenant_id").with_columns(decided["reason"])
    told = pl.format("ended registration {}, {}: {}", "device_id", "verdict", "evidence")
    return (
        rows_of.join(own, on="row", how="inner", validate="m:1")
        .filter(pl.col("reason").is_null() & (pl.col("tenant_id") == pl.col("own_tenant")))
        .sort("ended_in", "device_id", descending=[True, False])
        .unique("row", keep="first")
        .select("row", old_device_id="device_id", old_evidence=told)
    )


def _require_matched(decided: pl.DataFrame, matches: Matches) -> None:
    """Nothing is registered that matching has not seen, whatever went wrong before."""
    registered, seen = decided.filter(pl.col("reason").is_null())["row"], matches.profiles["row"]
    # Both ascend; were they not, rows would be missed, and nothing be published.
    unseen = seen.gather(seen.search_sorted(registered), null_on_oob=True).ne_missing(registered).sum()
    if unseen:
        message = f"{unseen} rows without a reason were never matched; nothing was published, please report this"
        raise Fault(message)

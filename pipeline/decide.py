"""Findings and evidence to one decision for each row. Matching proposes; nothing but this disposes."""

import polars as pl

from pipeline.arrays import repeated
from pipeline.errors import Fault
from pipeline.match import Matches
from pipeline.match.compare import Verdict
from schemas.reasons import CATALOGUE, REASON_CODES

_CUSTOMER_PORTALS = ["intune", "microsoft_365", "store"]
_IDENTITY_RANK = {"hash": 0, "product_id": 1, "tuple": 2}

_MOST_NAMED = 5
"""Registrations named in one row's evidence: more help nobody."""

# Verdicts that point at a registration, the most telling first. A contradiction names the board's own registration.
_POINTING = {Verdict.SAME: 0, Verdict.CONTRADICTION: 1, Verdict.BOARD_REPLACED: 2}
_CONFLICTING = [Verdict.CONTRADICTION, Verdict.BOARD_REPLACED]

_MATCH_CODES = (
    "CONFLICTING_CLAIMS",
    "DUPLICATE_IN_BATCH",
    "REGISTERED_OTHER_TENANT",
    "REGISTERED_BY_CUSTOMER",
    "ALREADY_REGISTERED",
    "BOARD_REPLACED",
    "AMBIGUOUS_MATCH",
    "PROBABLE_DUPLICATE",
    "UUID_COLLISION",
    "DISK_OF_REGISTERED_DEVICE",
)


def listed(codes: tuple[str, ...]) -> pl.Expr:
    """The codes that a row has, of those given and in their order, as a list."""
    return pl.concat_list(pl.when(code).then(pl.lit(code)) for code in codes).list.drop_nulls()


def has_reason(findings: pl.DataFrame) -> pl.Series:
    """Which rows have a finding that rejects them; one that could not be made counts as one."""
    reasons = [pl.col(name).fill_null(value=True) for name in findings.columns if name in REASON_CODES]
    return findings.select(rejected=pl.any_horizontal(pl.lit(value=False), *reasons))["rejected"]


def decide(rows: pl.DataFrame, findings: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """Turn what was found about each row into what becomes of it.

    Args:
        rows: one row a record: `row` (ascending by file name and line), `tenant_id`, `identity`, `captured_at`.
        findings: for each of them, in order, a Boolean column for each code found before matching.
        matches: what matching says of the rows without such reasons.

    Returns:
        One row for each, in order: `row`, a Boolean column for each code of the catalogue, `matched_device_id`,
        `matched_row`, `evidence`, and the primary `reason` (null where the row is registered).
    """
    met = _met_profiles(matches)
    devices = matches.profiles.filter(pl.col("profile").is_in(met.implode())).join(
        rows, on="row", how="left", maintain_order="left", validate="1:1"
    )
    found = (
        devices.select("row", "profile", "device", "tenant_id")
        .join(_duplicates(devices, matches), on="row", how="left", maintain_order="left", validate="1:1")
        .join(_conflicts(devices, matches), on="device", how="left", maintain_order="left", validate="m:1")
        .join(_registrations(devices, matches), on="profile", how="left", maintain_order="left", validate="m:1")
        .join(_warnings(met, matches), on="profile", how="left", maintain_order="left", validate="m:1")
    )
    judged = (
        rows.select("row")
        .join(_codes(found), on="row", how="left", maintain_order="left", validate="1:1")
        .with_columns(pl.col(_MATCH_CODES).fill_null(value=False))
    )
    known = set(findings.columns)
    complete = pl.concat([judged, findings], how="horizontal").with_columns(
        pl.lit(value=False).alias(code) for code in CATALOGUE if code not in known and code not in _MATCH_CODES
    )
    primary = pl.coalesce(pl.when(code).then(pl.lit(code)) for code in REASON_CODES)
    decided = complete.select(
        "row", *CATALOGUE, "matched_device_id", "matched_row", "evidence", primary.alias("reason")
    )
    _require_matched(decided, matches)
    return decided


def _met_profiles(matches: Matches) -> pl.Series:
    """The profiles of which matching found anything; nothing is to be said of the others."""
    within, registered, crowded = matches.within, matches.registered, matches.crowded
    return pl.concat([within["left"], within["right"], registered["profile"], crowded["profile"]]).unique()


def _require_matched(decided: pl.DataFrame, matches: Matches) -> None:
    """Nothing is registered that matching has not seen, whatever went wrong before."""
    unseen = decided.filter(pl.col("reason").is_null()).join(matches.profiles, on="row", how="anti")
    if unseen.height:
        message = f"{unseen.height} rows without a reason were never matched; nothing was published, please report this"
        raise Fault(message)


def _codes(found: pl.DataFrame) -> pl.DataFrame:
    """One row a device row: its match codes, what it matched, and the evidence in words."""
    ambiguous = pl.col("registrations") > 1
    same = (pl.col("verdict") == Verdict.SAME) & ~ambiguous
    here = (pl.col("registered_tenant") == pl.col("tenant_id")).fill_null(value=False)
    by_customer = pl.col("registered_via").is_in(_CUSTOMER_PORTALS).fill_null(value=False)
    other_row = pl.when(pl.col("conflicting_row") != pl.col("row")).then("conflicting_row")
    return found.select(
        "row",
        CONFLICTING_CLAIMS="two_tenants",
        DUPLICATE_IN_BATCH=pl.col("kept_row").is_not_null(),
        REGISTERED_OTHER_TENANT=same & ~here,
        REGISTERED_BY_CUSTOMER=same & here & by_customer,
        ALREADY_REGISTERED=same & here & ~by_customer,
        BOARD_REPLACED=(pl.col("verdict") == Verdict.BOARD_REPLACED) & ~ambiguous,
        AMBIGUOUS_MATCH=ambiguous
        | (pl.col("verdict") == Verdict.CONTRADICTION)
        | pl.col("contradicted").fill_null(value=False)
        | pl.col("in_crowd").fill_null(value=False),
        PROBABLE_DUPLICATE=pl.col("verdict") == Verdict.PROBABLE,
        UUID_COLLISION="colliding",
        DISK_OF_REGISTERED_DEVICE=pl.col("donor").is_not_null(),
        matched_device_id=pl.coalesce("device_id", "donor"),
        matched_row=pl.coalesce("kept_row", other_row, "met_row"),
        evidence=pl.concat_str(
            pl.col("met_evidence"),
            pl.col("conflict_evidence"),
            pl.col("registered_evidence"),
            pl.col("donor_evidence"),
            pl.col("crowd_evidence"),
            separator=" | ",
            ignore_nulls=True,
        ).replace("", None),
    )


def _duplicates(devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """Rows of a device that stands in the batch more than once.

    At most one row of a device and tenant is kept: hash before product ID before tuple, then the latest capture, then
    the first by file and line. `kept_row` is null for it.
    """
    several = devices.filter(pl.col("device").is_in(repeated(devices["device"]).implode()))
    ranked = several.with_columns(rank=pl.col("identity").replace_strict(_IDENTITY_RANK, return_dtype=pl.UInt8)).sort(
        "device",
        "tenant_id",
        "rank",
        "captured_at",
        "row",
        descending=[False, False, False, True, False],
        nulls_last=True,
    )
    kept = ranked.unique(["device", "tenant_id"], keep="first", maintain_order=True).select(
        "device", "tenant_id", first_row="row"
    )
    claims = kept.group_by("device").agg(claims=pl.col("first_row").sort())
    joined = ranked.join(kept, on=["device", "tenant_id"], how="left", maintain_order="left", validate="m:1").join(
        claims, on="device", how="left", maintain_order="left", validate="m:1"
    )
    other_claim = pl.col("claims").list.set_difference(pl.concat_list("first_row")).list.min()
    told = joined.with_columns(
        two_tenants=pl.col("claims").list.len() > 1,
        kept_row=pl.when(pl.col("row") != pl.col("first_row")).then("first_row"),
    ).with_columns(met_row=pl.coalesce("kept_row", other_claim))
    return told.join(_met(told, matches), on="row", how="left", maintain_order="left", validate="1:1").select(
        "row", "two_tenants", "kept_row", "met_row", "met_evidence"
    )


def _met(rows: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """`row` and what of it agrees with and differs from the row of the batch that it met."""
    profile_of = rows.select(met_row="row", met_profile="profile")
    met = rows.select("row", "profile", "met_row").join(profile_of, on="met_row", how="inner", validate="m:1")
    lower, upper = pl.min_horizontal("profile", "met_profile"), pl.max_horizontal("profile", "met_profile")
    compared = met.with_columns(left=lower, right=upper).join(
        matches.within.select("left", "right", "evidence"), on=["left", "right"], how="left", validate="m:1"
    )
    told = pl.col("evidence").fill_null("the same device by way of other rows")
    return compared.select("row", met_evidence=pl.lit("in this delivery: ") + told)


def _conflicts(devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """Devices of the batch of which two rows, or which and another device, contradict each other.

    All rows of such a device go to review: registering one of them would choose between two truths.
    """
    conflicts = matches.within.filter(pl.col("verdict").is_in(_CONFLICTING))
    turned = conflicts.select(left="right", right="left", score="score", evidence="evidence", verdict="verdict")
    sides = pl.concat([conflicts.select(turned.columns), turned])
    involved = devices.filter(pl.col("profile").is_in(sides["left"].implode()))
    device_of = involved.select("device", left="profile").unique()
    first_rows = involved.group_by("profile").agg(conflicting_row=pl.col("row").min())
    return (
        sides.join(device_of, on="left", how="left")
        .join(first_rows.rename({"profile": "right"}), on="right", how="left", validate="m:1")
        .sort("device", "score", "conflicting_row", descending=[False, True, False])
        .unique("device", keep="first", maintain_order=True)
        .select(
            "device",
            "conflicting_row",
            contradicted=pl.lit(value=True),
            conflict_evidence=pl.format("in this delivery, {}: {}", "verdict", "evidence"),
        )
    )


def _registrations(devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """What the registry says of each profile: how many registrations are pointed at, and the one to name.

    A profile that points at none takes over what the other profiles of its device point at: the device is known.
    """
    pointing = matches.registered.filter(pl.col("verdict").is_in(list(_POINTING)))
    known = devices.filter(pl.col("profile").is_in(pointing["profile"].implode()))["device"]
    device_of = devices.filter(pl.col("device").is_in(known.implode())).select("profile", "device").unique()
    of_device = pointing.join(device_of, on="profile", how="left").drop("profile")
    silent = device_of.join(pointing, on="profile", how="anti")
    inherited = silent.join(of_device, on="device", how="inner").drop("device")
    pointing = pl.concat([pointing, inherited.select(pointing.columns)])
    probable = matches.registered.filter(pl.col("verdict") == Verdict.PROBABLE).join(pointing, on="profile", how="anti")
    told = pl.format("registered device {}, {}: {}", "device_id", "verdict", "evidence")
    return (
        pl.concat([pointing, probable])
        .with_columns(
            rank=pl.col("verdict").replace_strict(_POINTING, default=len(_POINTING), return_dtype=pl.UInt8), told=told
        )
        .sort("profile", "rank", "score", "device_id", descending=[False, False, True, False])
        .group_by("profile", maintain_order=True)
        .agg(
            pl.col("verdict", "device_id", "registered_via").first(),
            registered_tenant=pl.col("tenant_id").first(),
            registrations=pl.col("device_id").filter(pl.col("verdict") != Verdict.PROBABLE).n_unique(),
            registered_evidence=pl.col("told").unique(maintain_order=True).head(_MOST_NAMED).str.join(" | "),
        )
    )


def _warnings(profiles: pl.Series, matches: Matches) -> pl.DataFrame:
    """What is odd about profiles and does not stop them: a shared UUID, a registered device's disk, a crowd."""
    within = matches.within.filter(pl.col("verdict") == Verdict.COLLIDING)
    against = matches.registered.filter(pl.col("verdict") == Verdict.COLLIDING)
    told_apart = matches.crowded.filter("told_apart")
    colliding = pl.concat([within["left"], within["right"], against["profile"], told_apart["profile"]]).unique()
    donors = (
        matches.registered.filter(pl.col("same_disk") & pl.col("verdict").is_in([Verdict.DIFFERENT, Verdict.COLLIDING]))
        .sort("profile", "score", "device_id", descending=[False, True, False])
        .group_by("profile", maintain_order=True)
        .agg(donor=pl.col("device_id").first())
        .with_columns(donor_evidence=pl.format("carries the disk of registered device {}", "donor"))
    )
    crowds = (
        matches.crowded.filter(~pl.col("told_apart"))
        .group_by("profile", maintain_order=True)
        .agg(
            in_crowd=pl.lit(value=True),
            crowd_evidence=pl.format("{} other records share its {}", "holders", "key").first(),
        )
    )
    return (
        profiles.to_frame("profile")
        .with_columns(colliding=pl.col("profile").is_in(colliding.implode()))
        .join(donors, on="profile", how="left", validate="1:1")
        .join(crowds, on="profile", how="left", validate="1:1")
    )

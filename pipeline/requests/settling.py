"""What becomes of the requests that a run did not register: carried out, final, or waiting, and from when on."""

from datetime import datetime

import polars as pl

from pipeline.decide import beside
from pipeline.match import connected_components
from pipeline.requests.docket import Docket, request_ids
from pipeline.rows import file_of
from schemas.kinds import KINDS
from schemas.matches import Matches, Verdict
from schemas.reasons import REASON_CODES, STRUCTURE_CODES, Waits
from schemas.requests import DELIVERY

_DUPLICATE = "DUPLICATE_IN_BATCH"
_IN_EACH_OTHERS_WAY = ("CONFLICTING_CLAIMS", "AMBIGUOUS_MATCH")
_IN_THE_WAY = [Verdict.SAME, Verdict.CONTRADICTION, Verdict.BOARD_REPLACED]

WAITS = tuple(f"waits_for_{what.value}" for what in Waits)
_FINAL = f"waits_for_{Waits.DELIVERY.value}"

_MOMENT = pl.Datetime("us", "UTC")


def settle(
    rows: pl.DataFrame,
    decisions: pl.DataFrame,
    matches: Matches,
    files: pl.DataFrame,
    night: Docket,
    as_of: datetime,
) -> pl.DataFrame:
    """Tell what becomes of the request that each row is.

    Args:
        rows: one row a row that was decided, in the order of `row`: `row`, `request_kind`, `tenant_id`, `identity`.
        decisions: what was decided of each, in order.
        matches: what matching said.
        files: what requests are known by, one row a manifest (`pipeline.requests.docket.identified`).
        night: what the registry knew of requests.
        as_of: the run's moment.

    Returns:
        One row for each, in order: these columns, those of its decision, and of one that was rejected: `is_done`, it
        was carried out, for the device of `kept_row` (a row that is registered) or `kept_device` (a registration, which
        may end); the columns of `WAITS`, what could mend it (all false where nothing is to be done); `can_wait`, as the
        registry keeps it, and `is_waiting`, while it is not final; `asked`, `waits_from` and `waits_on`. They are null
        where a row is carried out.
    """
    own_rows = rows.select("row", "request_kind", "tenant_id", "identity")
    decided = pl.concat([own_rows, decisions.drop("row")], how="horizontal")
    # Columns one by one: those that lie in files would be brought into memory to be cut as the others are.
    rejected = decided.select(pl.all().filter(pl.col("reason").is_not_null()))
    own = rejected.select(
        "row",
        "request_kind",
        "tenant_id",
        "reason",
        "matched_row",
        "matched_device_id",
        *_IN_EACH_OTHERS_WAY,
        *_waits(),
    )
    asked = _asked_before(own["row"], files, night)
    first = _with_ends(own).join(asked, on="row", how="left", maintain_order="left", validate="1:1")
    first = first.with_columns(pl.col("asked").fill_null(pl.lit(as_of, _MOMENT)))
    is_over = first["is_over"].fill_null(value=False).gather(_kept(first))
    timed = first.with_columns(waits_from=_waits_from(first, _rivals(rejected))).with_columns(
        is_waiting=pl.col("can_wait") & ~is_over & (pl.col("waits_from") > pl.lit(night.oldest, _MOMENT))
    )
    waiting = timed.filter("can_wait").select("row", "tenant_id", "matched_device_id")
    ends = timed.join(_waits_on(waiting, matches), on="row", how="left", validate="1:1").select(
        "row", "is_done", "kept_row", "kept_device", *WAITS, "can_wait", "is_waiting", "asked", "waits_from", "waits_on"
    )
    return beside(decided, ends)


def _asked_before(rows: pl.Series, files: pl.DataFrame, night: Docket) -> pl.DataFrame:
    """Rows whose requests the registry has, those that are final too, which may be decided again.

    Returns:
        `row`, `asked`, and `is_over`: it has it waiting, and that is over.
    """
    pending = night.requests.pending
    numbered = files.with_row_index("file_no")
    # Few files have any, so that few ids are made.
    of_files = numbered.join(pending.select(DELIVERY), on=DELIVERY, how="semi", nulls_equal=True)["file_no"]
    own = rows.to_frame().filter(file_of(pl.col("row")).is_in(of_files.implode()))
    asked = own.with_columns(request_ids(own["row"], files)).join(
        pending.select("request_id", "asked"), on="request_id", how="inner", validate="m:1"
    )
    return asked.select("row", "asked", is_over=pl.col("request_id").is_in(night.over.implode()))


def _waits() -> list[pl.Expr]:
    """What the reasons of each row wait for; those of a row that points at another are what that one waits for."""
    codes = [code for code in REASON_CODES if code != _DUPLICATE and code not in STRUCTURE_CODES]
    return [
        pl.any_horizontal(pl.lit(value=False), *(_if_waits(code, what) for code in codes)).alias(name)
        for name, what in zip(WAITS, Waits, strict=True)
    ]


def _if_waits(code: str, what: Waits) -> pl.Expr:
    """Whether a row has a reason that waits for this, which may depend on its kind."""
    kinds = [kind.name for kind in KINDS.values() if kind.reason_of(code).waits_for is what]
    if len(kinds) == len(KINDS):
        return pl.col(code)
    return pl.col(code) & pl.col("request_kind").is_in(kinds)


def _is_satisfied(kind: str, reason: str) -> pl.Expr:
    """Whether a row of a kind has, with this primary reason, what it asked for."""
    each = [(pl.col(kind) == one.name) & pl.col(reason).is_in(list(one.satisfied)) for one in KINDS.values()]
    return pl.any_horizontal(each).fill_null(value=False)


def _with_ends(own: pl.DataFrame) -> pl.DataFrame:
    """Add `is_done`, `kept_row`, `kept_device`, `can_wait`; a duplicate is what the row that it points at is."""
    kept = own.select(
        kept_at=pl.int_range(pl.len()),
        matched_row="row",
        kept_reason="reason",
        kept_kind="request_kind",
        other_device="matched_device_id",
        **{f"kept_{name}": name for name in WAITS},
    )
    is_duplicate = pl.col("reason") == _DUPLICATE
    found = own.join(kept, on="matched_row", how="left", maintain_order="left", validate="m:1")
    kept_registered = is_duplicate & pl.col("kept_at").is_null()
    kept_found = is_duplicate & _is_satisfied("kept_kind", "kept_reason")
    is_found = _is_satisfied("request_kind", "reason")
    makes = pl.col("request_kind").is_in([kind.name for kind in KINDS.values() if kind.makes_device])
    done = is_found | kept_registered | kept_found
    followed = {
        name: (pl.col(name) | (is_duplicate & pl.col(f"kept_{name}").fill_null(value=False))) & ~done for name in WAITS
    }
    # Of a departure and a registration in each other's way the one is final, and so is the other.
    at_odds = pl.any_horizontal(_IN_EACH_OTHERS_WAY) & (pl.col("kept_kind") != pl.col("request_kind"))
    followed[_FINAL] |= at_odds.fill_null(value=False)
    return found.with_columns(
        kept_at=pl.when(is_duplicate).then("kept_at"),
        is_done=done,
        kept_row=pl.when(kept_registered & makes).then("matched_row"),
        kept_device=pl.when(is_found | (kept_registered & ~makes))
        .then("matched_device_id")
        .when(kept_found)
        .then("other_device"),
        **followed,
    ).with_columns(can_wait=pl.any_horizontal(WAITS) & ~pl.col(_FINAL))


def _rivals(decided: pl.DataFrame) -> pl.DataFrame:
    """Pairs of positions of rows that stand in each other's way: `left`, `right`.

    Both are stopped by it. One that points at a row with a hash, which it may be, and has none is in no way of that.
    """
    stopped = decided.select(
        "matched_row",
        "row",
        left=pl.int_range(pl.len()),
        is_claim="CONFLICTING_CLAIMS",
        has_hash=pl.col("identity").eq_missing("hash"),
        is_stopped=pl.any_horizontal(_IN_EACH_OTHERS_WAY),
    ).filter("is_stopped")
    others = stopped.select(matched_row="row", right="left", other_has_hash="has_hash")
    pairs = stopped.join(others, on="matched_row", how="inner")
    is_mutual = pl.col("is_claim") | pl.col("has_hash") | ~pl.col("other_has_hash")
    return pairs.filter(is_mutual).select("left", "right")


def _waits_from(rows: pl.DataFrame, rivals: pl.DataFrame) -> pl.Series:
    """From when the waiting of each row counts.

    Rows in each other's way end with the first of those that wait, a duplicate with the row that it points at.
    """
    group = connected_components(rows.height, rivals["left"], rivals["right"])
    of_waiting = pl.col("asked").filter("can_wait").min().over(group)
    first = rows.select(pl.when("can_wait").then(of_waiting).otherwise("asked"))["asked"]
    return first.gather(_kept(rows))


def _kept(rows: pl.DataFrame) -> pl.Series:
    """Positions of the rows that rows end with: of a duplicate the one that it points at, else its own."""
    return rows["kept_at"].fill_null(pl.int_range(rows.height, eager=True))


def _waits_on(waiting: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """`row` and `waits_on`: the registrations of its own tenant that each waiting row met or was told of."""
    own = waiting.join(matches.profiles.select("row", "profile"), on="row", how="inner", validate="1:1")
    registered = matches.registered.filter(pl.col("profile").is_in(own["profile"].implode()))
    in_the_way = registered.filter(pl.col("verdict").is_in(_IN_THE_WAY)).select("profile", "device_id", "tenant_id")
    met = own.select("row", "profile", tenant="tenant_id").join(in_the_way, on="profile", how="inner")
    named = matches.registered.filter(pl.col("device_id").is_in(waiting["matched_device_id"].implode()))
    tenants = named.select("device_id", "tenant_id").unique("device_id")
    told = waiting.select("row", tenant="tenant_id", device_id="matched_device_id").join(
        tenants, on="device_id", how="inner", validate="m:1"
    )
    columns = ["row", "tenant", "device_id", "tenant_id"]
    both = pl.concat([met.select(columns), told.select(columns)]).filter(pl.col("tenant") == pl.col("tenant_id"))
    return both.group_by("row").agg(waits_on=pl.col("device_id").unique().sort())

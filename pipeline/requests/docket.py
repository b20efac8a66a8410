"""Requests over time: which rows of a night are decided.

A request that was carried out never acts again. Any other is final, or waits and is decided again in every run while
its file lies in the inbox, so that every remedy of the catalogue works.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from pipeline.ingest import Manifest
from pipeline.intake.read_part import Delivered
from pipeline.intake.taking_in import Intake, stamp_of
from pipeline.match import named_key
from pipeline.registry import FILE_TYPES, Registry, Requests, request_id
from pipeline.rows import file_of, line_of
from schemas.kinds import REGISTRATION
from schemas.requests import DECIDED, DELIVERY, REJECT, SEEN, WAITING

REPAIR = "repair"
"""A registration that ends for a reason with this word makes nothing final: a row that waits for it may register."""


_NAMED_BY = (("serial", "serial_number"), ("product_id", "product_id"), ("hash", "hardware_hash_id"))
"""What a registration is named by, as rows are (`pipeline.report.open_rows`)."""

_MET = ("source_file", "partner_id", "request_kind", "folder", "bytes", "stamp")
_PLACE = ["source_file", "stamp"]

_MOST_TOLD = 20
"""Files told of one by one that were delivered before."""


@dataclass(frozen=True, slots=True)
class Docket:
    """What a night has to decide, as far as the registry knows.

    Attributes:
        requests: what the registry knows.
        again: those of its requests that are decided again, one row each: those that wait, with the columns of
            `requests.pending`, and those that an operator has decided, as `decided`, of which no run has heeded the
            word yet, with `request_id`, `line` and the columns of `DELIVERY` alone.
        oldest: what has waited from this moment on, or an earlier one, waits no more.
        settled: ids of the requests that are not decided again although all others are, since they were carried out
            or an operator has refused them; None where not all others are.
        opened: the registry's version that the run had opened when it read them.
    """

    requests: Requests
    again: pl.DataFrame
    oldest: datetime
    settled: pl.Series | None
    opened: int

    @property
    def over(self) -> pl.Series:
        """Ids of the requests that the registry has waiting and that wait no more: they are final."""
        waiting = self.requests.pending.filter(pl.col("event") == WAITING)["request_id"]
        return waiting.filter(~waiting.is_in(self.again["request_id"].implode()))

    def without_waiting_for(self, ended: pl.DataFrame) -> "Docket":
        """The same, as far as it registers, once registrations have ended in this run.

        Args:
            ended: with the columns of `Registry.removals`.
        """
        waits = pl.col("event") == WAITING
        over = _waiting_for(self.again.filter(waits, request_kind=REGISTRATION), without_repairs(ended))
        return replace(self, again=self.again.filter(~(waits & pl.col("request_id").is_in(over.implode()))))


def docket_of(registry: Registry, as_of: datetime, wait_days: int, opened: int, *, reprocess: bool) -> Docket:
    """What the registry knows of requests tonight.

    Args:
        registry: as of the version that the run matches against.
        as_of: the run's moment.
        wait_days: how long a request waits, from the run that read it first.
        opened: the registry's version that the run opened first.
        reprocess: decide again what was final, too.
    """
    requests = registry.requests()
    ended = without_repairs(registry.removals())
    oldest = as_of - timedelta(days=wait_days)
    is_in_time = pl.col("waits_from") > pl.lit(oldest, pl.Datetime("us", "UTC"))
    waiting = requests.pending.filter((pl.col("event") == WAITING) & is_in_time)
    refused = requests.decisions.filter(pl.col("decision") == REJECT)["request_id"]
    over = pl.concat([_waiting_for(waiting, ended), refused])
    waiting = waiting.filter(~pl.col("request_id").is_in(over.implode()))
    said = requests.decisions.filter(~pl.col("is_heeded") & (pl.col("decision") != REJECT))
    decided = said.select("request_id", *DELIVERY, "line", event=pl.lit(DECIDED))
    again = pl.concat([waiting, decided], how="diagonal")
    settled = pl.concat([registry.carried_out(), refused]) if reprocess else None
    return Docket(requests, again, oldest, settled, opened)


def without_repairs(ended: pl.DataFrame) -> pl.DataFrame:
    """Registrations that ended for good, of those that ended."""
    return ended.filter(~pl.col("removal_reason").fill_null("").str.to_lowercase().str.contains(REPAIR, literal=True))


def _waiting_for(waiting: pl.DataFrame, ended: pl.DataFrame) -> pl.Series:
    """Ids of the requests that waited for registrations when those ended: they met one, or name its device.

    Args:
        waiting: with the columns of `requests.pending`.
        ended: registrations of any tenant that have ended, as `Registry.removals` gives them.
    """
    met = (
        waiting.select("request_id", device_id="waits_on").explode("device_id").join(ended, on="device_id", how="semi")
    )
    names = pl.concat_list(named_key(kind, name) for kind, name in _NAMED_BY)
    gone = ended.select("tenant_id", key=names, left="version", maker=pl.col("manufacturer").str.to_lowercase())
    asked = waiting.select("request_id", "tenant_id", "manufacturer", "version", key="keys")
    same = (
        asked.explode("key")
        .drop_nulls("key")
        .join(gone.explode("key").drop_nulls("key"), on=["tenant_id", "key"], how="inner")
    )
    other_maker = (pl.col("manufacturer") != pl.col("maker")).fill_null(value=False)
    by_name = same.filter((pl.col("version") < pl.col("left")) & ~other_maker)
    return pl.concat([met["request_id"], by_name["request_id"]]).unique()


def deliveries(manifests: Sequence[Manifest], night: Docket) -> list[Delivered]:
    """The manifests, each with what is known of its bytes: the digests of files that need not be read again."""
    states = [manifest.state() for manifest in manifests]
    found = pl.DataFrame(
        {
            "number": range(len(manifests)),
            "source_file": [manifest.source_file for manifest in manifests],
            "partner_id": [manifest.partner_id for manifest in manifests],
            "request_kind": [manifest.kind for manifest in manifests],
            "folder": [manifest.tenant_folder for manifest in manifests],
            "bytes": [state.size for state in states],
            "stamp": [manifest.mark or stamp_of(state) for manifest, state in zip(manifests, states, strict=True)],
        },
        {"number": pl.UInt32, **{name: FILE_TYPES.get(name, pl.String()) for name in _MET}},
    )
    settled = dict(_settled(found, night).iter_rows())
    seen = night.requests.files.select("source_file", "stamp", "sha256").unique(_PLACE, keep="last")
    digests = found.join(seen, on=_PLACE, how="left", maintain_order="left", validate="m:1")["sha256"]
    return [
        Delivered(number, manifest, state.size, frozenset(settled.get(number, ())), digest)
        for number, (manifest, state, digest) in enumerate(zip(manifests, states, digests, strict=True))
    ]


def known_sheets(night: Docket) -> Callable[[Manifest], tuple[str, ...]]:
    """Gives the names of the sheets of a workbook in a store that is what it was when it was read before."""
    sheets: dict[tuple[str, str], list[str]] = defaultdict(list)
    read = night.requests.files.filter(pl.col("sha256").str.contains("#", literal=True)).unique(
        ["source_file", "stamp", "sha256"], maintain_order=True
    )
    for path, stamp, sha256 in read.select("source_file", "stamp", "sha256").iter_rows():
        name = sha256.partition("#")[2]
        sheets[path.removesuffix(f"#{name}"), stamp].append(name)
    return lambda manifest: tuple(sheets.get((manifest.source_file, manifest.mark or ""), ()))


def _settled(found: pl.DataFrame, night: Docket) -> pl.DataFrame:
    """`number` and `sha256`: of each file the digests that it may have and need not be read again."""
    if night.settled is not None:
        return pl.DataFrame(schema={"number": pl.UInt32, "sha256": pl.List(pl.String)})
    known = night.requests.files.drop_nulls("sha256").unique([*DELIVERY, "bytes"])
    done = known.join(night.again, on=DELIVERY, how="anti", nulls_equal=True).select(*DELIVERY, "bytes")
    may_be = found.join(done, on=["request_kind", "partner_id", "bytes"], how="inner", nulls_equal=True)
    is_there = pl.col("tenant_folder").is_null() | (pl.col("tenant_folder") == pl.col("folder"))
    return may_be.filter(is_there.fill_null(value=False)).group_by("number").agg("sha256")


def identified(intake: Intake, night: Docket) -> pl.DataFrame:
    """What the files of a night are known by.

    Returns:
        One row a manifest, by position: the columns of `DELIVERY` (`sha256` null where it could not be read to its
        end), `source_file`, `bytes`, `stamp`, `known`: an earlier run has read it, and `opened`: the registry's version
        that the run which read it first had opened.
    """
    known = night.requests.files.select(DELIVERY).unique()
    named = [bool(own) and all("tenant" in one.columns for one in own) for own in intake.headers]
    files = intake.files.select(
        "source_file",
        "partner_id",
        "bytes",
        "stamp",
        own_folder="tenant_folder",
        request_kind="request_kind",
        sha256=pl.when(pl.col("disposition") == "not_a_manifest")
        .then(pl.format("no manifest {} {}", "source_file", "stamp"))  # it is not opened, and told once
        .when(pl.col("disposition") != "unreadable")
        .then("sha256"),
    )
    # A file that was not read again is known by what it was read as, and an earlier version named every file's folder.
    named_anywhere = _knows(known, files.with_columns(tenant_folder=pl.lit(None, pl.String)))
    named_here = _knows(known, files.with_columns(tenant_folder="own_folder"))
    not_read = intake.files["disposition"] == "already_processed"
    anywhere = (pl.Series(named, dtype=pl.Boolean) & (named_anywhere | ~named_here)) | (not_read & named_anywhere)
    files = files.with_columns(tenant_folder=pl.when(~anywhere).then("own_folder"))
    tried = night.requests.files.filter(pl.col("sha256").is_null())["source_file"]
    is_tried = pl.col("sha256").is_null() & pl.col("source_file").is_in(tried.implode())
    told = files.with_columns(_knows(known, files)).with_columns(
        known=pl.when(pl.col("sha256").is_null()).then(is_tried).otherwise("known")
    )
    return _with_opened(told, night)


def _with_opened(files: pl.DataFrame, night: Docket) -> pl.DataFrame:
    """Add `opened`; what is not known is that of the version before the one that tells of the file."""
    first = night.requests.files.drop_nulls("sha256").unique(DELIVERY, keep="first", maintain_order=True)
    before = first.select(*DELIVERY, opened=pl.coalesce("opened", pl.col("version") - 1))
    told = files.join(before, on=DELIVERY, how="left", nulls_equal=True, maintain_order="left", validate="m:1")
    return told.with_columns(pl.col("opened").fill_null(night.opened))


def _knows(known: pl.DataFrame, files: pl.DataFrame) -> pl.Series:
    """Which of some files, by `DELIVERY`, were read before."""
    told = files.join(known.with_columns(known=True), on=DELIVERY, how="left", nulls_equal=True, maintain_order="left")
    return told["known"].fill_null(value=False)


def due(intake: Intake, files: pl.DataFrame, night: Docket) -> pl.Series:
    """Which rows are decided tonight; all others are settled.

    Args:
        intake: all rows that were read.
        files: what `identified` gives.
        night: what the registry knows.
    """
    rows = intake.rows.select("row", "file_no", line=pl.col("source_line").cast(pl.Int64))
    again = files.with_row_index("file_no").with_columns(
        twice=pl.col("sha256").is_not_null() & ~pl.struct(DELIVERY).is_first_distinct()
    )
    if night.settled is not None:
        ids = request_ids(rows["row"], files)
        return ~again["twice"].gather(rows["file_no"]) & ~ids.is_in(night.settled.implode())
    read_before = again.filter(pl.col("known") & pl.col("sha256").is_not_null())
    waiting = (
        read_before.join(night.again, on=DELIVERY, how="inner", nulls_equal=True)
        .select("file_no", "line")
        .join(rows, on=["file_no", "line"], how="inner")["row"]
    )
    is_new = ~pl.col("file_no").is_in(read_before["file_no"].implode())
    is_copy = pl.col("file_no").is_in(again.filter("twice")["file_no"].implode())
    return rows.select(due=(is_new | pl.col("row").is_in(waiting.implode())) & ~is_copy)["due"]


def request_ids(row: pl.Series, files: pl.DataFrame) -> pl.Series:
    """Ids of the requests that some rows, by `row`, of files that `identified` gives are."""
    file_no, line = (
        row.to_frame("row").select(file_no=file_of(pl.col("row")), line=line_of(pl.col("row"))).get_columns()
    )
    places = files[file_no].with_columns(line)
    return places.select(request_id()).to_series()


def seen(files: pl.DataFrame, night: Docket, run_id: str) -> pl.DataFrame:
    """What the registry has to record of the files that were read: one row a file that was not as it knew it."""
    known = night.requests.files.select("source_file", "stamp", "sha256")
    found = files.join(known, on=["source_file", "stamp", "sha256"], how="anti", nulls_equal=True)
    return found.select(*DELIVERY, "source_file", pl.col("bytes").cast(pl.Int64), "stamp", "opened").with_columns(
        event=pl.lit(SEEN), run_id=pl.lit(run_id)
    )


def delivered_again(files: pl.DataFrame, dispositions: pl.Series, night: Docket) -> list[str]:
    """What is to be said of files that no run has met at their path, and whose requests are all settled.

    Args:
        files: what `identified` gives.
        dispositions: of each of them.
        night: what the registry knew.
    """
    before = night.requests.files.drop_nulls("sha256")
    again = (
        files.filter(
            (dispositions == "already_processed") & ~files["source_file"].is_in(before["source_file"].implode())
        )
        .join(before.unique(DELIVERY, keep="first"), on=DELIVERY, how="inner", nulls_equal=True, suffix="_before")
        .sort("source_file")
    )
    told = [
        f"{path}: was delivered before, in run {run_id} as {earlier}; change it to ask again"
        for path, run_id, earlier in again.head(_MOST_TOLD)
        .select("source_file", "run_id", "source_file_before")
        .iter_rows()
    ]
    more = again.height - len(told)
    return [*told, f"and {more:,} more files were delivered before"] if more else told

"""Frames of numbers: everything that run.json, report.json and the pages show is counted here, once."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from pipeline.report.meanings import meaning
from pipeline.rows import file_of
from schemas.kinds import DEPARTURE, KINDS
from schemas.outcome import FILE_TYPES
from schemas.reasons import MEANINGS, OUTCOMES, REASON_CODES, STRUCTURE_CODES, WARNING_CODES, Family, Outcome, codes_of
from schemas.run import Counts, FileCounts, RowCounts

_AUTHORIZATION = codes_of(Family.AUTHORIZATION)
_TO_DECIDE = [key for key, reason in MEANINGS.items() if reason.to_decide]


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of a run.

    Attributes:
        files: one row a file, with the columns of `schemas.outcome.FILE_TYPES`.
        reasons: one row a partner and what its primary reason says: `partner_id`, `reason`, `meaning`, `outcome`,
            `rows`.
        warnings: one row a partner and warning: `partner_id`, `warning`, `rows` (of all sets).
        decided: one row a partner: `partner_id`, and the last six of `schemas.run.RowCounts`.
        departures: one row a partner and what became of departures: `partner_id`, `reason` (null where they were
            carried out), `rows`.
        unauthorized: one row a partner, tenant and primary reason of the authorization family: `partner_id`,
            `tenant_id`, `reason`, `rows`.
        ignored: entries of the inboxes that are no manifests.
    """

    files: pl.DataFrame
    reasons: pl.DataFrame
    warnings: pl.DataFrame
    decided: pl.DataFrame
    departures: pl.DataFrame
    unauthorized: pl.DataFrame
    ignored: int

    def partner_ids(self) -> list[str | None]:
        """The partners that delivered anything; None stands for files of nobody, and comes last."""
        return self.files["partner_id"].unique().sort(nulls_last=True).to_list()

    def by_partner(self, others: Iterable[str] = ()) -> dict[str | None, "Summary"]:
        """The same of each partner alone, in the order of `partner_ids`; then of others, who delivered nothing."""
        frames = [self.files, self.reasons, self.warnings, self.decided, self.departures, self.unauthorized]
        parts = [frame.partition_by("partner_id", as_dict=True) for frame in frames]
        found = {}
        delivering = self.partner_ids()
        for partner in (*delivering, *sorted(set(others) - set(delivering))):
            own = [part.get((partner,), frame.clear()) for part, frame in zip(parts, frames, strict=True)]
            found[partner] = Summary(own[0], own[1], own[2], own[3], own[4], own[5], ignored=0)
        return found

    def counts(self) -> Counts:
        """`files`, `rows`, `outcomes` and `reasons`, as in run.json."""
        by_reason = dict(self.reasons.group_by("reason").agg(pl.col("rows").sum()).iter_rows())
        of = dict(self.files.group_by("disposition").len().iter_rows())
        by_outcome = dict(self.reasons.group_by("outcome").agg(pl.col("rows").sum()).iter_rows())
        return {
            "files": FileCounts(
                found=self.files.height,
                processed=of.get("processed", 0),
                empty=of.get("empty", 0),
                already_processed=of.get("already_processed", 0),
                unreadable=of.get("unreadable", 0),
            ),
            "rows": RowCounts(
                read=int(self.files["rows_read"].sum()),
                settled=int(self.files["rows_settled"].sum()),
                registered=int(self.files["rows_registered"].sum()),
                deregistered=int(self.files["rows_deregistered"].sum()),
                rejected=int(self.files["rows_rejected"].sum()),
                waiting=int(self.decided["waiting"].sum()),
                structure=int(self.decided["structure"].sum()),
                to_decide=int(self.decided["to_decide"].sum()),
                first_time=int(self.decided["first_time"].sum()),
                first_time_rejected=int(self.decided["first_time_rejected"].sum()),
                first_time_structure=int(self.decided["first_time_structure"].sum()),
            ),
            "outcomes": {outcome.value: by_outcome.get(outcome.value, 0) for outcome in Outcome},
            "reasons": {code: by_reason[code] for code in REASON_CODES if code in by_reason},
        }

    def meaning_counts(self) -> dict[str, int]:
        """Rejected rows by what their primary reason says, in the catalogue's order."""
        found = dict(self.reasons.group_by("meaning").agg(pl.col("rows").sum()).iter_rows())
        return {key: found[key] for key in MEANINGS if key in found}

    def warning_counts(self) -> dict[str, int]:
        """Rows with each warning, in the catalogue's order."""
        by_warning = dict(self.warnings.group_by("warning").agg(pl.col("rows").sum()).iter_rows())
        return {code: by_warning[code] for code in WARNING_CODES if by_warning.get(code)}


def summarize(rows: pl.DataFrame, files: pl.DataFrame, ignored: int) -> Summary:
    """Count what became of every row.

    Args:
        rows: one row a record that was decided: `row`, `request_kind`, `tenant_id`, `reason`, a Boolean column for each
            code, and `is_waiting`.
        files: one row a manifest, by position, without the counts of the decision; `known`, an earlier run has read it.
        ignored: entries of the inboxes that are no manifests.
    """
    file_no = file_of(pl.col("row")).alias("file_no")
    of_files = files.select("partner_id", "known", file_no=pl.int_range(pl.len(), dtype=pl.UInt32))
    # Rows are many, and what they are counted by is little: by file they are counted once, some after the other.
    of_rows = rows.lazy().with_columns(file_no)
    by = ("file_no", "request_kind", "reason", "is_waiting")
    counted = (
        of_rows.group_by(by)
        .agg(rows=pl.len())
        .collect(engine="streaming")
        .with_columns(meaning=meaning(pl.col("reason")))
        .join(of_files, on="file_no", how="left", validate="m:1")
    )
    warned = of_rows.group_by("file_no").agg(pl.col(WARNING_CODES).sum()).collect(engine="streaming")
    refused = of_rows.filter(pl.col("reason").is_in(_AUTHORIZATION)).group_by("file_no", "tenant_id", "reason")
    unauthorized = refused.agg(rows=pl.len()).collect(engine="streaming")
    warnings = (
        warned.join(of_files, on="file_no", how="left", validate="1:1")
        .group_by("partner_id")
        .agg(pl.col(WARNING_CODES).sum())
        .unpivot(index="partner_id", variable_name="warning", value_name="rows")
    )
    reasons = counted.drop_nulls("reason").group_by("partner_id", "reason", "meaning").agg(pl.col("rows").sum())
    departures = counted.filter(request_kind=DEPARTURE).group_by("partner_id", "reason").agg(pl.col("rows").sum())
    return Summary(
        files=_settled_counted(files, counted),
        reasons=reasons.with_columns(outcome=pl.col("reason").replace_strict(OUTCOMES, return_dtype=pl.String)),
        warnings=warnings.filter(pl.col("rows") > 0),
        decided=_decided(counted),
        departures=departures,
        unauthorized=unauthorized.join(of_files, on="file_no", how="left", validate="m:1")
        .group_by("partner_id", "tenant_id", "reason")
        .agg(pl.col("rows").sum())
        .sort("rows", "partner_id", "tenant_id", "reason", descending=[True, False, False, False]),
        ignored=ignored,
    )


def _decided(counted: pl.DataFrame) -> pl.DataFrame:
    """`Summary.decided`, of rows counted by file and reason."""
    structure = pl.col("reason").is_in(STRUCTURE_CODES)
    structure, first = structure.fill_null(value=False), ~pl.col("known")
    rejected = pl.col("reason").is_not_null()
    return counted.group_by("partner_id").agg(
        waiting=pl.col("rows").filter("is_waiting").sum(),
        structure=pl.col("rows").filter(structure).sum(),
        to_decide=pl.col("rows").filter(pl.col("meaning").is_in(_TO_DECIDE)).sum(),
        first_time=pl.col("rows").filter(first).sum(),
        first_time_rejected=pl.col("rows").filter(first & rejected & ~structure).sum(),
        first_time_structure=pl.col("rows").filter(first & structure).sum(),
    )


def _settled_counted(files: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """Files with the rows that were decided, counted by file and reason: all others of each are settled."""
    done, of_kind = pl.col("reason").is_null(), pl.col("request_kind")
    sets = {
        "rows_rejected": pl.col("rows").filter(~done).sum(),
        **{
            f"rows_{kind.published}": pl.col("rows").filter(done & (of_kind == kind.name)).sum()
            for kind in KINDS.values()
        },
    }
    of_sets = files.with_row_index("file_no").join(
        counted.group_by("file_no").agg(**sets), on="file_no", how="left", maintain_order="left", validate="1:1"
    )
    decided = pl.sum_horizontal(list(sets))
    settled = of_sets.with_columns(pl.col(list(sets)).fill_null(0)).with_columns(
        rows_settled=pl.col("rows_read") - decided,
        disposition=pl.when((pl.col("disposition") == "processed") & (decided == 0))
        .then(pl.lit("already_processed"))
        .otherwise("disposition"),
    )
    return settled.select(pl.col(name).cast(dtype) for name, dtype in FILE_TYPES.items())

"""What matching found, for people to judge: how sure the evidence is, and review cases component by component."""

from dataclasses import dataclass

import polars as pl

from pipeline.match import FEATURES, ExistingRecords, relations
from pipeline.report.masking import brief, masked
from pipeline.report.shown import fairly
from pipeline.rows import file_of, rows_at
from schemas.device import COMPONENT_TYPES
from schemas.matches import Matches
from schemas.reasons import OUTCOMES, Outcome

MOST_CASES = 100
"""Review cases on a page: each is a table of its own."""
_MOST_IN_ALL = 5_000
"""Review cases on all pages together, each a look-up in the registry."""

_SCORE_STEP = 20
"""Width of a bar of the histogram, in points of evidence."""

_COMPONENT_OF = {"serial": "serial_number"}
"""Where a feature is not called as its component."""

_SIDE = ("tenant_id", "partner_id", *COMPONENT_TYPES)
"""What is known of either side of a case."""

_PLAIN = ("model",)
"""Components that are shown whole."""


@dataclass(frozen=True, slots=True)
class Cases:
    """What matching found.

    Attributes:
        histogram: one row a verdict and step of scores: `verdict`, `score_from`, `pairs`.
        review: one row a review case: `partner_id`, `source_file`, `source_line`, `reason`, `other_file`,
            `other_line`, `other_device`, `own` (the other side is the same partner's and tenant's), `on_run_page`,
            and for each component of `FEATURES` a struct of its `relation` and the masked values `here` and `there`.
        of: review cases there are in all, by partner: `partner_id`, `cases`.
    """

    histogram: pl.DataFrame
    review: pl.DataFrame
    of: pl.DataFrame


def tell_cases(
    rows: pl.DataFrame, files: pl.DataFrame, decisions: pl.DataFrame, matches: Matches, existing: ExistingRecords
) -> Cases:
    """Choose the review cases to show and put their two sides together.

    Args:
        rows: one row a record, in the order of `row`: `file_no`, `source_line`, `tenant_id` and the columns of
            `COMPONENT_TYPES`.
        files: one row a manifest, by position: `source_file`, `partner_id`.
        decisions: what was decided of each row, in order.
        matches: what matching said.
        existing: the records that it matched against.
    """
    review = [code for code, outcome in OUTCOMES.items() if outcome is Outcome.REVIEW]
    rejected = decisions.filter(pl.col("reason").is_in(review)).select(
        "row", "reason", "matched_device_id", "matched_row"
    )
    named = pl.col("device_id").is_in(rejected["matched_device_id"].implode())
    numbers = (
        matches.registered.filter(named)
        .unique("device_id", keep="first", maintain_order=True)
        .select("device_id", "record")
    )
    met = rejected.join(
        numbers,
        left_on="matched_device_id",
        right_on="device_id",
        how="left",
        maintain_order="left",
        validate="m:1",
    ).filter(pl.col("record").is_not_null() | pl.col("matched_row").is_not_null())
    partners = files["partner_id"].gather(met.select(file_of(pl.col("row"))).to_series())
    cases = met.with_columns(partners.alias("partner_id"))
    groups = ("partner_id", "reason")
    each = max(1, min(MOST_CASES, _MOST_IN_ALL // max(1, partners.n_unique())))
    cases = cases.with_columns(
        on_run_page=fairly(cases, MOST_CASES, *groups), on_own_page=fairly(cases, each, *groups, within="partner_id")
    )
    return Cases(
        histogram=_histogram(matches),
        review=_sides(cases.filter(pl.col("on_run_page") | pl.col("on_own_page")), rows, files, existing),
        of=cases.group_by("partner_id").agg(cases=pl.len()),
    )


def _histogram(matches: Matches) -> pl.DataFrame:
    scores = pl.concat([matches.within.select("verdict", "score"), matches.registered.select("verdict", "score")])
    step = (pl.col("score") / _SCORE_STEP).floor().cast(pl.Int32) * _SCORE_STEP
    return scores.group_by("verdict", score_from=step).agg(pairs=pl.len()).sort("score_from", "verdict")


def _sides(cases: pl.DataFrame, rows: pl.DataFrame, files: pl.DataFrame, existing: ExistingRecords) -> pl.DataFrame:
    """Each case with the other side: the registration that it met, else the row of the batch."""
    records = existing.records(cases["record"].drop_nulls().unique())
    registered = cases.select("record").join(
        records.select("record", *_SIDE), on="record", how="left", maintain_order="left", validate="m:1"
    )
    here = _with_file(rows_at(rows, cases["row"]), files)
    delivered = _with_file(rows_at(rows, cases.select(pl.coalesce("matched_row", "row")).to_series()), files)
    by_record = cases["record"].is_not_null()
    there = pl.DataFrame([registered[name].zip_with(by_record, delivered[name]) for name in _SIDE])
    related = relations(here, there)
    return pl.DataFrame(
        [
            here["partner_id"],
            _brief(here["source_file"]),
            here["source_line"],
            cases["reason"],
            _where(~by_record, _brief(delivered["source_file"])).alias("other_file"),
            _where(~by_record, delivered["source_line"]).alias("other_line"),
            _where(by_record, cases["matched_device_id"]).alias("other_device"),
            _same(here, there, "tenant_id", "partner_id").alias("own"),
            cases["on_run_page"],
            *(_component(feature.component, related, here, there) for feature in FEATURES),
        ]
    )


def _with_file(rows: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows, files[rows["file_no"]].select("source_file", "partner_id")], how="horizontal")


def _brief(texts: pl.Series) -> pl.Series:
    return texts.to_frame().select(brief(pl.first())).to_series()


def _where(mask: pl.Series, values: pl.Series) -> pl.Series:
    return values.zip_with(mask, pl.Series([None], dtype=values.dtype).new_from_index(0, len(values)))


def _same(here: pl.DataFrame, there: pl.DataFrame, *names: str) -> pl.Series:
    """Whether both sides are the same in all of these, and known."""
    equal = [(here[name] == there[name]).fill_null(value=False) for name in names]
    return pl.select(pl.all_horizontal(equal)).to_series()


def _component(feature: str, related: pl.DataFrame, here: pl.DataFrame, there: pl.DataFrame) -> pl.Series:
    name = _COMPONENT_OF.get(feature, feature)
    return pl.DataFrame(
        {"relation": related[feature], "here": _shown(here, name), "there": _shown(there, name)}
    ).to_struct(feature)


def _shown(side: pl.DataFrame, name: str) -> pl.Series:
    if name in _PLAIN:
        return side.select(brief(pl.col(name))).to_series()
    if side.schema[name] == pl.List:
        return side.select(brief(pl.col(name).list.eval(masked(pl.element())).list.join(", "))).to_series()
    return side.select(masked(pl.col(name))).to_series()

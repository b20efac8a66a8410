"""What operators have said of review cases, as tonight's rows hear it. Their word never overrules another reason."""

import polars as pl

from pipeline.intake.taking_in import Intake
from pipeline.registry import Registry
from schemas.requests import DELIVERY, HEEDED, REJECT, SAME

_WORD_TYPES: dict[str, pl.DataType] = {
    "row": pl.UInt64(),
    "request_id": pl.String(),
    "decision": pl.String(),
    "decided_on": pl.List(pl.String),
    "device_id": pl.String(),
    "registered_via": pl.String(),
    "is_heeded": pl.Boolean(),
}


def no_words() -> pl.DataFrame:
    """Nobody has said anything."""
    return pl.DataFrame(schema=_WORD_TYPES)


def words_on(intake: Intake, files: pl.DataFrame, decisions: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    """The words on tonight's rows.

    Args:
        intake: the rows that are decided.
        files: what their files are known by (`pipeline.requests.docket.identified`).
        decisions: what was decided of requests (`pipeline.registry.requests.Requests`).
        registry: as of the version that the run matches against.

    Returns:
        One row a row that somebody said anything of but to refuse it: `row`, `request_id`, `decision`, `decided_on`,
        `is_heeded`; of a "same" the registration that the row is, `device_id`, and its `registered_via`, null where it
        is not a live one of the row's tenant any more.
    """
    said = decisions.filter(pl.col("decision") != REJECT)
    if said.is_empty():
        return no_words()
    places = files.with_row_index("file_no").filter(pl.col("sha256").is_not_null()).select("file_no", *DELIVERY)
    rows = intake.rows.select("row", "file_no", "tenant_id", line=pl.col("source_line").cast(pl.Int64))
    told = (
        said.drop("source_file", "tenant_id")
        .join(places, on=DELIVERY, how="inner", nulls_equal=True)
        .join(rows, on=["file_no", "line"], how="inner", validate="1:1")
    )
    named = told.filter(pl.col("decision") == SAME)["device_id"]
    live = registry.states(named, ("device_id", "tenant_id", "registered_via"))
    heard = told.join(live, on=["device_id", "tenant_id"], how="left", maintain_order="left", validate="m:1")
    return heard.select(pl.col(name).cast(dtype) for name, dtype in _WORD_TYPES.items())


def heeded(words: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """What the registry has to record of the words that a run has heeded for the first time."""
    return words.filter(~pl.col("is_heeded")).select("request_id", event=pl.lit(HEEDED), run_id=pl.lit(run_id))

"""What an operator's word on a review case changes of a row's codes; it lifts no other reason than those of review."""

import polars as pl

from schemas.matches import Verdict
from schemas.requests import DIFFERENT, SAME

WORD = "an operator has decided: "
"""How the evidence of a row says that a word on it counted; the word follows."""

_LIFTED = ("BOARD_REPLACED", "AMBIGUOUS_MATCH", "PROBABLE_DUPLICATE")
_AT_ODDS = ("two_tenants", "in_doubt", "rival", "contradicted", "in_crowd")
"""What rows of the batch, or a crowd, say of a row: no word on registrations answers that."""

FACTS = ("tenant_id", "met_devices", "same_tenants", *_AT_ODDS)
"""What a word on a row is weighed by."""


def met(told: pl.Expr) -> list[pl.Expr]:
    """What is kept of all registrations that a profile met, for words on them: which, and who has the same device."""
    same = pl.col("verdict") == Verdict.SAME
    return [told.unique().alias("met_devices"), pl.col("tenant_id").filter(same).unique().alias("same_tenants")]


def heed(codes: pl.DataFrame, found: pl.DataFrame, words: pl.DataFrame, portals: tuple[str, ...]) -> pl.DataFrame:
    """Change the codes of the rows that somebody has decided.

    A word counts while its row meets no other registrations than it names, and no row of the batch says otherwise. That
    the row is one registration never lets it register, not even where it meets nothing any more.

    Args:
        codes: one row a row, in order, with its match codes.
        found: what was found about each row that met anything.
        words: on rows that were matched (`pipeline.requests.words`).
        portals: ways in which customers register devices themselves.
    """
    facts = found.select("row", *FACTS)
    others = pl.col("met_devices").list.set_difference("decided_on").list.len() > 0
    abroad = pl.col("same_tenants").list.set_difference(pl.concat_list("tenant_id")).list.len() > 0
    doubts = [pl.col(name).fill_null(value=False) for name in _AT_ODDS]
    told = words.join(facts, on="row", how="left", validate="1:1").filter(
        ~pl.any_horizontal(*doubts, others.fill_null(value=False), abroad.fill_null(value=False))
    )
    is_same = (pl.col("decision") == SAME) & pl.col("registered_via").is_not_null()
    lifting = told.filter(is_same | (pl.col("decision") == DIFFERENT)).select(
        "row",
        word=pl.format(f"{WORD}{{}} {{}}", "decision", pl.col("decided_on").list.join(", ")),
        is_of=pl.when(is_same).then("device_id"),
        by_customer=pl.when(is_same).then(pl.col("registered_via").is_in(portals)),
    )
    heard = codes.join(lifting, on="row", how="left", maintain_order="left", validate="1:1")
    lifted = pl.col("word").is_not_null()
    by_customer = pl.col("by_customer").fill_null(value=False)
    own = pl.col("is_of").is_not_null()
    return heard.with_columns(
        *(pl.col(code) & ~lifted for code in _LIFTED),
        REGISTERED_BY_CUSTOMER=pl.when(own).then(by_customer).otherwise("REGISTERED_BY_CUSTOMER"),
        ALREADY_REGISTERED=pl.when(own).then(~by_customer).otherwise("ALREADY_REGISTERED"),
        matched_device_id=pl.coalesce("is_of", "matched_device_id"),
        learnable=pl.when(~own).then("learnable"),
        evidence=pl.when(lifted)
        .then(pl.concat_str("evidence", "word", separator=" | ", ignore_nulls=True))
        .otherwise("evidence"),
    ).drop("word", "is_of", "by_customer")

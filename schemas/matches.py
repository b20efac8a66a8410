"""What matching says and deciding goes by: verdicts of pairs, and the pairs with their evidence."""

from dataclasses import dataclass
from enum import StrEnum

import polars as pl


class Verdict(StrEnum):
    """What the components of two records say of them."""

    SAME = "same"
    CONTRADICTION = "contradiction"
    BOARD_REPLACED = "board replaced"
    PROBABLE = "probably the same"
    COLLIDING = "different, with the same UUID"
    DIFFERENT = "different"


CONFLICTING = (Verdict.CONTRADICTION, Verdict.BOARD_REPLACED)
"""Verdicts that say that two records cannot both be right."""


REGISTERED_TYPES: dict[str, pl.DataType] = {
    "profile": pl.UInt32(),
    "record": pl.UInt32(),
    "device_id": pl.String(),
    "tenant_id": pl.String(),
    "registered_via": pl.String(),
    "registered_has_hash": pl.Boolean(),
    "verdict": pl.String(),
    "score": pl.Float64(),
    "same_disk": pl.Boolean(),
    "evidence": pl.String(),
}
"""What is said of a profile and an existing record."""


@dataclass(frozen=True, slots=True)
class Matches:
    """What the components of a batch's rows say.

    Rows whose components are all equal are one `profile`, which is compared once for all of them.

    Attributes:
        profiles: one row a row of the batch: `row`, `profile`, and what `pipeline.match.devices.form_devices` says of
            it.
        within: one row a pair of profiles that share a key: `left`, `right`, `verdict`, `score`, `evidence`; a
            profile of several rows is also paired with itself.
        registered: one row a profile and existing record, with the columns of `REGISTERED_TYPES`.
        crowded: one row a profile and a value that too many records share to compare them: `profile`, `key`,
            `holders`, and `told_apart`: a TPM key of its own tells the profile from a crowd that shares a UUID.
        ended: one row a profile and record whose registration has ended: `profile`, `device_id`, `tenant_id`,
            `ended_in`, `verdict`, `evidence`.
    """

    profiles: pl.DataFrame
    within: pl.DataFrame
    registered: pl.DataFrame
    crowded: pl.DataFrame
    ended: pl.DataFrame

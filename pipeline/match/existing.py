"""What matching asks of the registry; anything that answers it can be matched against."""

from typing import Protocol

import polars as pl

from schemas.device import COMPONENT_TYPES, SERIAL_FORM_TYPES

_FOUND_TYPES = {
    "record": pl.UInt32(),
    **dict.fromkeys(("device_id", "tenant_id", "partner_id", "registered_via"), pl.String()),
    **COMPONENT_TYPES,
}


class ExistingRecords(Protocol):
    """Existing device records as of one version. A record's position is its name within that version."""

    def holders(self, name: str, wanted: pl.Series) -> pl.DataFrame:
        """One row a record and key that it holds of these: `record` (UInt32) and `key` (Int64).

        Those wanted may repeat; none is null.
        """
        ...

    def serial_forms(self, manufacturers: pl.Series) -> pl.DataFrame:
        """One row for each of these manufacturers that has records, with the columns of `SERIAL_FORM_TYPES`."""
        ...

    def records(self, positions: pl.Series) -> pl.DataFrame:
        """The records at these positions, which may repeat, that were not removed; each once.

        Their columns are `record`, `device_id`, `tenant_id`, `partner_id`, `registered_via` and those of
        `schemas.device.COMPONENT_TYPES`.
        """
        ...

    def ended_records(self, positions: pl.Series) -> pl.DataFrame:
        """The same of those whose registration has ended, with `ended_in`, by which the later end is the larger."""
        ...


class NoRecords:
    """A registry without records, for checks that name none."""

    def holders(self, name: str, wanted: pl.Series) -> pl.DataFrame:  # noqa: ARG002 - there are none of any name
        """Nobody."""
        return pl.DataFrame(schema={"record": pl.UInt32, "key": pl.Int64})

    def serial_forms(self, manufacturers: pl.Series) -> pl.DataFrame:  # noqa: ARG002 - none of anybody
        """No serials."""
        return pl.DataFrame(schema=SERIAL_FORM_TYPES)

    def records(self, positions: pl.Series) -> pl.DataFrame:  # noqa: ARG002 - none anywhere
        """No records."""
        return pl.DataFrame(schema=_FOUND_TYPES)

    def ended_records(self, positions: pl.Series) -> pl.DataFrame:  # noqa: ARG002 - none anywhere
        """No records."""
        return pl.DataFrame(schema={**_FOUND_TYPES, "ended_in": pl.Int64})

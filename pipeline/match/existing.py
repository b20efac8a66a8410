"""What matching asks of the registry; anything that answers it can be matched against."""

from typing import Protocol

import polars as pl


class ExistingRecords(Protocol):
    """Existing device records as of one version. A record's position is its name within that version."""

    def keys(self, name: str) -> pl.LazyFrame:
        """One row for each holder of a key of this name: `record` (UInt32) and `key` (Int64)."""
        ...

    def serials(self, manufacturers: pl.Series) -> pl.LazyFrame:
        """One row for each record of these manufacturers: `manufacturer` and `serial_number`."""
        ...

    def records(self, positions: pl.Series) -> pl.DataFrame:
        """The records at these positions that were not removed: `record`, `device_id`, `tenant_id`,
        `registered_via` and the columns of `schemas.device.COMPONENT_TYPES`."""
        ...

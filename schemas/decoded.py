"""The model that decoded hardware hashes are held to. Apart from the types, which are needed where pandera is not."""

import pandera.polars as pa

from schemas.device import DECODED_PATTERNS, DECODED_TYPES
from schemas.gate import Gate

DECODED_DEVICE = Gate(
    {
        name: pa.Column(
            dtype,
            nullable=True,
            checks=[pa.Check.str_matches(DECODED_PATTERNS[name])] if name in DECODED_PATTERNS else None,
        )
        for name, dtype in DECODED_TYPES.items()
        if name not in {"hash_blob", "hardware_hash_id"}
    },
)
"""One row is one hardware hash, without its bytes and their digest, which no check needs.

Fields are null unless the hash is verified and holds them; `disk_serials` begins with the system disk's;
`mac_addresses` are those of onboard adapters.
"""

"""Registries and batches of any size from a seed, with the columns that matching reads, in bounded memory."""

import numpy as np
import polars as pl

from pipeline.match.keys import with_keys
from pipeline.registry import Registry
from pipeline.registry.compacting import FILE_RECORDS
from pipeline.registry.writer import fill
from schemas.device import COMPONENT_TYPES
from schemas.registry import REGISTERED

_CHUNK = 250_000
_MAKERS = ("HP", "LENOVO", "Dell Inc.", "Microsoft Corporation")
_TENANTS = pl.Series([f"{number:08x}-0000-4000-8000-000000000000" for number in range(1, 2_001)])
_NEW = 10**10
"""Devices from this number on are in no registry."""


def devices(seed, first, rows):
    """Components of devices by their numbers: those of one number and seed are always the same device."""
    number = np.arange(first, first + rows, dtype=np.uint64)
    names = ("tpm", "uuid", "mac", "disk")
    salted = {name: [_scattered(number, f"{seed} {name} {part}") for part in range(4)] for name in names}
    frame = pl.DataFrame(
        {
            "number": number,
            "tpm_ek_id": _hexadecimal(salted["tpm"]),
            "uuid": _hexadecimal(salted["uuid"][:2]),
            "mac": _hexadecimal(salted["mac"][:2]),
            "disk": _hexadecimal(salted["disk"][:1]),
            "manufacturer": pl.Series(_MAKERS).gather((salted["disk"][1] % np.uint64(4)).astype(np.uint32)),
        }
    )
    groups = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
    numbered = pl.col("number").cast(pl.String)
    return frame.select(
        "tpm_ek_id",
        "manufacturer",
        has_hash=pl.lit(value=True),
        smbios_uuid=pl.concat_str(*(pl.col("uuid").str.slice(at, size) for at, size in groups), separator="-"),
        serial_number=pl.lit("5CG") + numbered,
        model=pl.format("{} {}", "manufacturer", pl.col("number") % 40),
        product_id=pl.lit("33") + numbered.str.pad_start(11, "0"),
        mac_addresses=pl.concat_list(pl.col("mac").str.slice(0, 12), pl.col("mac").str.slice(12, 12)),
        disk_serials=pl.concat_list("disk"),
    ).select(pl.col(name).cast(dtype) for name, dtype in COMPONENT_TYPES.items())


def _scattered(number, salt):
    """A number of 64 bits for each device, by splitmix64."""
    offset = np.frombuffer(salt.encode().ljust(24, b"\0"), np.uint64)
    mixed = number * np.uint64(2) + np.bitwise_xor.reduce(offset)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed


def _hexadecimal(columns):
    """Numbers side by side, as hexadecimal digits."""
    raw = np.stack(columns, axis=1)
    return (
        pl.Series(list(raw.view(f"S{8 * len(columns)}").ravel()), dtype=pl.Binary)
        .bin.encode("hex")
        .str.pad_end(16 * len(columns), "0")
    )


def batch(seed, rows, registered):
    """A night: `registered` of its devices are those with the lowest numbers, captured again with another disk."""
    known = devices(seed, 0, registered)
    known = known.with_columns(disk_serials=pl.concat_list(pl.lit("new ") + pl.col("serial_number")))
    return pl.concat([known, devices(seed, _NEW, rows - registered)]).with_row_index("row")


def build(folder, seed, rows, most=FILE_RECORDS):
    """A registry of so many devices, in files of at most so many, of which none is too large to be merged."""
    registry = Registry.open(folder, create=True)
    for first in range(0, rows, most):
        registry = _commit(registry, seed, first, min(first + most, rows))
    return registry


def _commit(registry, seed, begin, end):
    with registry.writer() as writer:
        for first in range(begin, end, _CHUNK):
            own = with_keys(devices(seed, first, min(_CHUNK, end - first)))
            number = pl.int_range(first, first + own.height, eager=True)
            writer.write(
                fill(
                    own.with_columns(
                        event=pl.lit(REGISTERED),
                        device_id=pl.concat_str(
                            number.cast(pl.String).str.pad_start(8, "0"), pl.lit("-0000-4000-8000-000000000000")
                        ),
                        tenant_id=_TENANTS.gather(number % len(_TENANTS)),
                        partner_id=pl.lit("contoso"),
                        registered_via=pl.lit("partner_center"),
                        identity=pl.lit("hash"),
                    )
                )
            )
        registry.commit(writer)
    return registry.reopened()


SCENARIOS = {
    # What happened to a registered device, or whom a new one resembles: share of the batch, whether it is the same.
    "new": (0.80, False),
    "captured again": (0.05, True),
    "disk replaced": (0.03, True),
    "network card replaced": (0.02, True),
    "disk and network card replaced": (0.01, True),
    "TPM switched off": (0.01, True),
    "board replaced": (0.02, False),
    "TPM replaced": (0.01, False),
    "neighbour in a production run": (0.03, False),
    "disk from a registered device": (0.01, False),
    "UUID cloned": (0.01, False),
}


def labelled(seed, rows, existing):
    """A night against `build`'s registry: `batch`'s columns, `scenario`, and `truth` (a record, or null)."""
    parts, number = [], 0
    for scenario, (share, is_same) in SCENARIOS.items():
        size = round(share * rows)
        known = devices(seed, number, size)
        fresh = devices(seed, _NEW + number, size)
        truth = pl.Series(range(number, number + size), dtype=pl.UInt32)
        drifted = _DRIFTS[scenario](known, fresh)
        parts.append(
            drifted.with_columns(scenario=pl.lit(scenario), truth=truth if is_same else pl.lit(None, pl.UInt32))
        )
        number += size
    assert number <= existing
    return pl.concat(parts).sample(fraction=1, shuffle=True, seed=seed).with_row_index("row")


def _taking(known, fresh, *names):
    """Known devices with some components of new ones."""
    return known.with_columns(fresh[name] for name in names)


def _one_card_replaced(known, fresh):
    cards = pl.concat_list(fresh["mac_addresses"].list.get(0), known["mac_addresses"].list.get(1))
    return known.with_columns(known.select(mac_addresses=cards)["mac_addresses"])


_DRIFTS = {
    "new": lambda _, fresh: fresh,
    "captured again": lambda known, _: known,
    "disk replaced": lambda known, fresh: _taking(known, fresh, "disk_serials"),
    "network card replaced": _one_card_replaced,
    "disk and network card replaced": lambda known, fresh: _taking(
        _one_card_replaced(known, fresh), fresh, "disk_serials"
    ),
    "TPM switched off": lambda known, _: known.with_columns(tpm_ek_id=pl.lit(None, pl.String)),
    "board replaced": lambda known, fresh: _taking(
        known, fresh, "tpm_ek_id", "smbios_uuid", "mac_addresses", "product_id"
    ),
    "TPM replaced": lambda known, fresh: _taking(known, fresh, "tpm_ek_id"),
    "neighbour in a production run": lambda known, fresh: _taking(
        fresh.with_columns(serial_number=known["serial_number"] + "0"), known, "manufacturer", "model"
    ),
    "disk from a registered device": lambda known, fresh: _taking(fresh, known, "disk_serials"),
    "UUID cloned": lambda known, fresh: _taking(fresh, known, "smbios_uuid"),
}

"""Finds the records inside verified bytes and reads from them what identifies a device, for all rows at once."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.hardware_hash import arrays, layout
from pipeline.hardware_hash.arrays import Bytes, Ints, Mask
from pipeline.hardware_hash.layout import Record
from schemas.device import DECODED_TYPES

_GUID_ORDER = (3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15)
"""SMBIOS stores the first three fields of a UUID little-endian."""
_GUID_GROUPS = (4, 6, 8, 10)
_BUSES = {"PCI": "PCI".encode("utf-16-le"), "VMBUS": "VMBUS".encode("utf-16-le")}
_NUL = "\0".encode("utf-16-le")
_TRIMMED = " \t\u00a0"
_LOCALLY_ADMINISTERED, _BROADCAST = 0x02, 0xFF


@dataclass(frozen=True, slots=True)
class Records:
    """Records of all rows, row by row in order.

    Attributes:
        row: position of the row in the batch.
        type: record type.
        start: where the payload begins in the flat array.
        size: bytes of the payload.
        malformed: by row, whether its records do not fit together.
    """

    row: Ints
    type: Ints
    start: Ints
    size: Ints
    malformed: Mask

    def of(self, *types: Record) -> npt.NDArray[np.intp]:
        """Positions of the records of these types whose row is sound."""
        return np.flatnonzero(np.isin(self.type, types) & ~self.malformed[self.row])


def walk(flat: Bytes, start: Ints, total: Ints, rows: Mask) -> Records:
    """Step through the records of all rows together; every step moves by four bytes at least, so it ends."""
    malformed = np.zeros(len(start), bool)
    active = np.flatnonzero(rows)
    at = np.full(len(active), layout.HEADER_BYTES, np.int64)
    found: list[tuple[Ints, Ints, Ints, Ints]] = []
    while True:
        unfinished = at < total[active]
        active, at = active[unfinished], at[unfinished]
        if not active.size:
            break
        kind, size = arrays.u16(flat, start[active] + at), arrays.u16(flat, start[active] + at + 2)
        fits = (size >= layout.HEADER_BYTES) & (at + size <= total[active])
        malformed[active[~fits]] = True
        active, at, kind, size = active[fits], at[fits], kind[fits], size[fits]
        found.append((active, kind, start[active] + at + layout.HEADER_BYTES, size - layout.HEADER_BYTES))
        at = at + size
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)] if found else [arrays.no_ints()] * 4
    order = np.argsort(columns[0], kind="stable")
    row, kind, begin, size = (column[order] for column in columns)
    malformed[row[_too_short(flat, kind, begin, size)]] = True
    malformed[_rows_with_twins(row, kind)] = True
    return Records(row, kind, begin, size, malformed)


def _too_short(flat: Bytes, kind: Ints, begin: Ints, size: Ints) -> Mask:
    short = np.zeros(len(kind), bool)
    for record, shortest in layout.SHORTEST_PAYLOAD.items():
        short |= (kind == record) & (size < shortest)
    for record, length_at in ((Record.NETWORK_ADAPTER, 10), (Record.OFFLINE_ID, 6)):
        whole = np.flatnonzero((kind == record) & ~short)
        counted = arrays.u32(flat, begin[whole] + length_at)
        short[whole] |= layout.SHORTEST_PAYLOAD[record] + counted > size[whole]
    return short


def _rows_with_twins(row: Ints, kind: Ints) -> Ints:
    unique = np.isin(kind, sorted(layout.UNIQUE))
    pairs, counts = np.unique(row[unique] << 16 | kind[unique], return_counts=True)
    return np.asarray(pairs[counts > 1] >> 16, np.int64)


def read(flat: Bytes, start: Ints, total: Ints, records: Records, verified: Mask) -> pl.DataFrame:
    """What identifies a device.

    Returns:
        One row for each hash, with the columns of `schemas.device.DECODED_DEVICE` that stand for contents.
    """
    height = len(start)
    reader = _Reader(flat, records, height)
    digest_at = np.flatnonzero(verified)
    ends = start + total + layout.TRAILER_BYTES
    blob = arrays.slices(flat, start[digest_at], (ends - start)[digest_at])
    signed_id = arrays.hexadecimal(
        arrays.window(flat, (start + total + len(layout.TRAILER))[digest_at], layout.DIGEST_BYTES)
    )
    tpm_ek_id, consistent = reader.tpm()
    serial, manufacturer = reader.string(Record.SYSTEM_SERIAL), reader.string(Record.SYSTEM_MANUFACTURER)
    adapters = reader.adapters()
    return pl.DataFrame(
        {
            "hash_consistent": pl.Series(consistent, dtype=pl.Boolean),
            "hash_blob": arrays.scatter(height, digest_at, blob),
            "hardware_hash_id": arrays.scatter(height, digest_at, signed_id),
            "captured_at": reader.captured_at(),
            "os_type": reader.byte(Record.CAPTURE, 21),
            "hash_serial_number": serial,
            "hash_manufacturer": manufacturer,
            "hash_model": reader.string(Record.SYSTEM_PRODUCT),
            "hash_product_id": reader.string(Record.PRODUCT_KEY_ID),
            "smbios_uuid": reader.uuid(),
            "tpm_ek_id": tpm_ek_id,
            "mac_addresses": adapters["mac"],
            "disk_serials": reader.disks(),
            "on_vmbus": adapters["on_vmbus"],
        },
        schema_overrides={name: DECODED_TYPES[name] for name in ("captured_at", "os_type")},
    )


class _Reader:
    """Reads single records of a batch into columns of one value for each row."""

    def __init__(self, flat: Bytes, records: Records, height: int) -> None:
        self.flat, self.records, self.height = flat, records, height

    def string(self, kind: Record) -> pl.Series:
        """A text record, trimmed; null where it is absent, empty, or named as missing by the firmware."""
        at = self.records.of(kind)
        text = arrays.text(arrays.binary(self.flat, self.records.start[at], self.records.size[at]))
        value = text.to_frame("value").select(
            pl.col("value").str.strip_chars(_TRIMMED).replace([layout.MISSING_STRING, ""], None)
        )["value"]
        return arrays.scatter(self.height, self.records.row[at], value)

    def byte(self, kind: Record, offset: int) -> pl.Series:
        at = self.records.of(kind)
        values = pl.Series(self.flat[self.records.start[at] + offset], dtype=pl.UInt8)
        return arrays.scatter(self.height, self.records.row[at], values)

    def captured_at(self) -> pl.Series:
        at = self.records.of(Record.CAPTURE)
        seconds = pl.Series(arrays.u32(self.flat, self.records.start[at] + 16), dtype=pl.Int64)
        moments = (seconds + int(layout.EPOCH.timestamp())) * 1_000_000
        return arrays.scatter(
            self.height, self.records.row[at], moments.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        )

    def uuid(self) -> pl.Series:
        at = self.records.of(Record.SMBIOS_UUID)
        raw = arrays.window(self.flat, self.records.start[at], 16)[:, _GUID_ORDER]
        digits = arrays.HEX[raw].reshape(len(at), 32)
        dashed = np.insert(digits, [2 * group for group in _GUID_GROUPS], ord("-"), axis=1)
        return arrays.scatter(self.height, self.records.row[at], arrays.strings(dashed))

    def tpm(self) -> tuple[pl.Series, Mask]:
        """SHA-256 of the TPM key, and whether key and offline id belong together (both absent is fine)."""
        keys, ids = self.records.of(Record.TPM_KEY), self.records.of(Record.OFFLINE_ID)
        view = self.flat.data
        begins, sizes = self.records.start, self.records.size
        digests = [hashlib.sha256(view[begins[key] : begins[key] + sizes[key]]).digest() for key in keys]
        derived = ids[self.flat[begins[ids] + 4] == layout.OFFLINE_ID_FROM_TPM]
        begin, length = begins[derived] + 10, arrays.u32(self.flat, begins[derived] + 6)
        expected = {
            row: bytes(view[at:end])
            for row, at, end in zip(self.records.row[derived].tolist(), begin, begin + length, strict=True)
        }
        actual = dict(zip(self.records.row[keys].tolist(), digests, strict=True))
        whole = dict(zip(self.records.row[keys].tolist(), sizes[keys] == layout.TPM_KEY_BYTES, strict=True))
        consistent = np.ones(self.height, bool)
        for row in expected.keys() | actual.keys():
            consistent[row] = whole.get(row, False) and actual[row] == expected.get(row)
        named = pl.Series([digest.hex() for digest in digests], dtype=pl.String)
        return arrays.scatter(self.height, self.records.row[keys], named), consistent

    def adapters(self) -> pl.DataFrame:
        """Addresses of onboard adapters, and whether one of them sits on a virtual machine's bus."""
        at = self.records.of(Record.NETWORK_ADAPTER)
        begin = self.records.start[at]
        length = arrays.u32(self.flat, begin + 10)
        bus = {name: self._bus_is(begin + 14, length, raw) for name, raw in _BUSES.items()}
        mac = arrays.window(self.flat, begin + 4, 6)
        onboard = (
            (bus["PCI"] | bus["VMBUS"])
            & (arrays.u32(self.flat, begin) != layout.MEDIUM_BLUETOOTH)
            & (mac != 0).any(axis=1)
            & (mac != _BROADCAST).any(axis=1)
            & (mac[:, 0] & _LOCALLY_ADMINISTERED == 0)
        )
        dashed = np.insert(arrays.HEX[mac].reshape(len(at), 12), [2, 4, 6, 8, 10], ord(":"), axis=1)
        found = pl.DataFrame(
            {
                "row": pl.Series(self.records.row[at], dtype=pl.Int64),
                "mac": arrays.strings(dashed).str.to_uppercase(),
                "onboard": onboard,
                "on_vmbus": bus["VMBUS"],
            }
        )
        by_row = found.group_by("row").agg(pl.col("mac").filter("onboard").unique().sort(), pl.col("on_vmbus").any())
        return arrays.spread(self.height, by_row)

    def _bus_is(self, at: Ints, length: Ints, raw: bytes) -> Mask:
        matches = np.zeros(len(at), bool)
        for name in (raw, raw + _NUL):
            sized = np.flatnonzero(length == len(name))
            matches[sized] = arrays.equals(self.flat, at[sized], name)
        return matches

    def disks(self) -> pl.Series:
        """Serials of the disks, the system disk's first."""
        at = self.records.of(Record.DISK_NAME, Record.SYSTEM_DISK)
        name = arrays.text(arrays.binary(self.flat, self.records.start[at], self.records.size[at]))
        found = pl.DataFrame(
            {
                "row": pl.Series(self.records.row[at], dtype=pl.Int64),
                "other": self.records.type[at] != Record.SYSTEM_DISK,
                "disk": name,
            }
        ).with_columns(pl.col("disk").str.split("|").list.first().str.strip_chars(_TRIMMED))
        by_row = (
            found.filter(pl.col("disk") != "")
            .sort("row", "other", maintain_order=True)
            .group_by("row")
            .agg(pl.col("disk").unique(maintain_order=True))
        )
        return arrays.spread(self.height, by_row)["disk"]

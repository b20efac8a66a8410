"""Finds the records inside verified bytes and reads from them what identifies a device, for all rows at once."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline import arrays
from pipeline.arrays import Bytes, Ints, Mask
from pipeline.decode import layout
from pipeline.decode.layout import Record
from schemas.device import DECODED_TYPES

_GUID_ORDER = (3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15)
"""SMBIOS stores the first three fields of a UUID little-endian."""
_GUID_GROUPS = (4, 6, 8, 10)
_BUSES = {"PCI": "PCI".encode("utf-16-le"), "VMBUS": "VMBUS".encode("utf-16-le")}
_NUL = "\0".encode("utf-16-le")
_TRIMMED = " \t\u00a0"
_LOCALLY_ADMINISTERED, _BROADCAST = 0x02, 0xFF

_TYPES = max(Record) + 2
"""Types that have a place of their own; all unknown ones share the last."""
_REPEATED = (Record.NETWORK_ADAPTER, Record.DISK_NAME)
"""Those of the types that may occur again whose records are read."""
_IS_REPEATED, _IS_UNIQUE = (np.isin(np.arange(_TYPES), sorted(types)) for types in (_REPEATED, layout.UNIQUE))


@dataclass(frozen=True, slots=True)
class Records:
    """Records of all rows. Of a type that a hash holds once, one place a row; of the others, a list.

    Attributes:
        start: by type and row, where the payload begins in the flat array; 0 where the row has none.
        size: by type and row, bytes of the payload.
        repeated: of each type that may occur again: row, start and size of its records, row by row in order.
        malformed: by row, whether its records do not fit together.
    """

    start: Ints
    size: Ints
    repeated: dict[Record, tuple[Ints, Ints, Ints]]
    malformed: Mask

    def only(self, kind: Record) -> tuple[Ints, Ints, Ints]:
        """Row, start and size of the records of a type that a hash holds once, where their row is sound."""
        row = np.flatnonzero((self.start[kind] > 0) & ~self.malformed)
        return row, self.start[kind][row], self.size[kind][row]

    def all(self, kind: Record) -> tuple[Ints, Ints, Ints]:
        """The same of a type that may occur again."""
        sound = ~self.malformed[self.repeated[kind][0]]
        row, start, size = (column[sound] for column in self.repeated[kind])
        return row, start, size


def walk(flat: Bytes, start: Ints, total: Ints, rows: Mask) -> Records:
    """Step through the records of all rows together; every step moves by four bytes at least, so it ends."""
    malformed = np.zeros(len(start), bool)
    begins, sizes = (np.zeros((_TYPES, len(start)), np.int64) for _ in range(2))
    steps: list[tuple[Ints, Ints, Ints, Ints]] = []
    row = np.flatnonzero(rows)
    at, end = start[row] + layout.HEADER_BYTES, (start + total)[row]
    while True:
        unfinished = at < end
        if not unfinished.all():
            row, at, end = row[unfinished], at[unfinished], end[unfinished]
        if not row.size:
            break
        header = arrays.u32(flat, at)
        kind, size = header & 0xFFFF, header >> 16
        fits = (size >= layout.HEADER_BYTES) & (at + size <= end)
        if not fits.all():
            malformed[row[~fits]] = True
            row, at, end, kind, size = row[fits], at[fits], end[fits], kind[fits], size[fits]
        kind = np.minimum(kind, _TYPES - 1)
        again = _IS_REPEATED[kind]
        malformed[row[(begins[kind, row] > 0) & _IS_UNIQUE[kind]]] = True
        begins[kind, row], sizes[kind, row] = at + layout.HEADER_BYTES, size - layout.HEADER_BYTES
        if again.any():
            steps.append((row[again], kind[again], at[again] + layout.HEADER_BYTES, size[again] - layout.HEADER_BYTES))
        at = at + size
    repeated = _by_type(steps)
    malformed |= _too_short(flat, begins, sizes)
    row, begin, size = repeated[Record.NETWORK_ADAPTER]
    malformed[row[_cut(flat, begin, size, Record.NETWORK_ADAPTER)]] = True
    return Records(begins, sizes, repeated, malformed)


def _by_type(steps: list[tuple[Ints, Ints, Ints, Ints]]) -> dict[Record, tuple[Ints, Ints, Ints]]:
    row, kind, begin, size = (
        (np.concatenate([arrays.no_ints(), *parts]) for parts in zip(*steps, strict=True))
        if (steps)
        else (arrays.no_ints() for _ in range(4))
    )
    ordered: dict[Record, tuple[Ints, Ints, Ints]] = {}
    for record in _REPEATED:
        own = np.flatnonzero(kind == record)
        own = own[np.argsort(row[own], kind="stable")]
        ordered[record] = (row[own], begin[own], size[own])
    return ordered


def _too_short(flat: Bytes, begins: Ints, sizes: Ints) -> Mask:
    short = np.zeros(begins.shape[1], bool)
    for kind in (Record.CAPTURE, Record.OFFLINE_ID, Record.SMBIOS_UUID):
        row = np.flatnonzero(begins[kind])
        short[row] |= _cut(flat, begins[kind][row], sizes[kind][row], kind)
    return short


def _cut(flat: Bytes, begin: Ints, size: Ints, kind: Record) -> Mask:
    """Which records of a type are shorter than what is read from them, or than they say themselves."""
    shortest = layout.SHORTEST_PAYLOAD[kind]
    short = size < shortest
    if kind in layout.LENGTH_AT:
        counted = arrays.u32(flat, np.where(short, 0, begin + layout.LENGTH_AT[kind]))
        short = short | (shortest + counted > size)
    return short


def read(flat: Bytes, start: Ints, total: Ints, records: Records, verified: Mask) -> pl.DataFrame:
    """What identifies a device.

    Returns:
        One row for each hash, with the columns of `schemas.device.DECODED_DEVICE` that stand for contents.
    """
    height = len(start)
    reader = _Reader(flat, records, height)
    whole = np.flatnonzero(verified)
    blob = arrays.slices(flat, start[whole], total[whole] + layout.TRAILER_BYTES)
    tpm_ek_id, consistent = reader.tpm()
    serial, manufacturer = reader.string(Record.SYSTEM_SERIAL), reader.string(Record.SYSTEM_MANUFACTURER)
    adapters = reader.adapters()
    return pl.DataFrame(
        {
            "hash_consistent": pl.Series(consistent, dtype=pl.Boolean),
            "hash_blob": arrays.scatter(height, whole, blob),
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
        row, start, size = self.records.only(kind)
        text = arrays.text(arrays.slices(self.flat, start, size))
        value = text.to_frame("value").select(
            pl.col("value").str.strip_chars(_TRIMMED).replace([layout.MISSING_STRING, ""], None)
        )["value"]
        return arrays.scatter(self.height, row, value)

    def byte(self, kind: Record, offset: int) -> pl.Series:
        row, start, _ = self.records.only(kind)
        return arrays.scatter(self.height, row, pl.Series(self.flat[start + offset], dtype=pl.UInt8))

    def captured_at(self) -> pl.Series:
        row, start, _ = self.records.only(Record.CAPTURE)
        seconds = pl.Series(arrays.u32(self.flat, start + 16), dtype=pl.Int64)
        moments = (seconds + int(layout.EPOCH.timestamp())) * 1_000_000
        return arrays.scatter(self.height, row, moments.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))

    def uuid(self) -> pl.Series:
        row, start, _ = self.records.only(Record.SMBIOS_UUID)
        raw = arrays.window(self.flat, start, 16)[:, _GUID_ORDER]
        digits = arrays.HEX[raw].reshape(len(row), 32)
        dashed = np.insert(digits, [2 * group for group in _GUID_GROUPS], ord("-"), axis=1)
        return arrays.scatter(self.height, row, arrays.strings(dashed))

    def tpm(self) -> tuple[pl.Series, Mask]:
        """SHA-256 of the TPM key, and whether key and offline id belong together (both absent is fine)."""
        key_row, key_start, key_size = self.records.only(Record.TPM_KEY)
        digest = arrays.sha256(arrays.slices(self.flat, key_start, key_size))
        id_row, id_start, _ = self.records.only(Record.OFFLINE_ID)
        from_tpm = self.flat[id_start + 4] == layout.OFFLINE_ID_FROM_TPM
        id_row, id_start = id_row[from_tpm], id_start[from_tpm]
        has_key, has_id, whole = (np.zeros(self.height, bool) for _ in range(3))
        has_key[key_row], has_id[id_row] = True, True
        whole[key_row] = key_size == layout.TPM_KEY_BYTES
        named = arrays.scatter(self.height, key_row, digest)
        length = arrays.u32(self.flat, id_start + 6)
        expected = arrays.hexadecimal(arrays.slices(self.flat, id_start + 10, length))
        agrees = (named == arrays.scatter(self.height, id_row, expected)).fill_null(value=False).to_numpy()
        return named, (has_key == has_id) & (~has_key | (whole & agrees))

    def adapters(self) -> pl.DataFrame:
        """Addresses of onboard adapters, and whether one of them sits on a virtual machine's bus."""
        row, begin, _ = self.records.all(Record.NETWORK_ADAPTER)
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
        on_vmbus, has_adapter = np.zeros(self.height, bool), np.zeros(self.height, bool)
        on_vmbus[row[bus["VMBUS"]]] = True
        has_adapter[row] = True
        of_row, distinct = _distinct(row[onboard], mac[onboard])
        digits = arrays.UPPER_HEX[distinct].reshape(len(distinct), 12)
        address = arrays.strings(np.insert(digits, [2, 4, 6, 8, 10], ord(":"), axis=1))
        listed = arrays.lists(self.height, of_row, address)
        known = pl.Series(has_adapter)
        return pl.DataFrame({"mac": listed, "on_vmbus": on_vmbus}).select(pl.when(known).then(pl.all()))

    def _bus_is(self, at: Ints, length: Ints, raw: bytes) -> Mask:
        matches = np.zeros(len(at), bool)
        for name in (raw, raw + _NUL):
            sized = np.flatnonzero(length == len(name))
            matches[sized] = arrays.equals(self.flat, at[sized], name)
        return matches

    def disks(self) -> pl.Series:
        """Serials of the disks, the system disk's first; null where there is none."""
        system, others = self.records.only(Record.SYSTEM_DISK), self.records.all(Record.DISK_NAME)
        found = pl.concat([self._disk_names(*system), self._disk_names(*others)])
        # By row and stable, so that the system disk stays first; its equal, nearly always next to it, goes.
        ordered = found.filter(pl.col("disk") != "").sort("row", maintain_order=True)
        row, disk = pl.col("row"), pl.col("disk")
        distinct = ordered.filter(((row == row.shift()) & (disk == disk.shift())).fill_null(value=False).not_())
        several = arrays.repeated(distinct["row"])
        if several.len():
            distinct = distinct.filter(~row.is_in(several.implode()) | pl.struct("row", "disk").is_first_distinct())
        listed = arrays.lists(self.height, distinct["row"].to_numpy(), distinct["disk"])
        return listed.to_frame("disk").select(pl.when(pl.col("disk").list.len() > 0).then("disk"))["disk"]

    def _disk_names(self, row: Ints, start: Ints, size: Ints) -> pl.DataFrame:
        text = arrays.text(arrays.slices(self.flat, start, size))
        named = pl.DataFrame({"row": pl.Series(row, dtype=pl.Int64), "disk": text})
        serial = pl.col("disk").str.split_exact("|", 1).struct.field("field_0")
        return named.with_columns(disk=serial.str.strip_chars(_TRIMMED))


def _distinct(row: Ints, mac: Bytes) -> tuple[Ints, Bytes]:
    """The different addresses of each row in order, as row and bytes."""
    number = np.zeros((len(row), 8), np.uint8)
    number[:, 2:] = mac
    key = number.view(">u8").ravel().astype(np.int64) | row << 48
    distinct = np.unique(key)
    return distinct >> 48, distinct.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]

"""Decodes hardware hashes, many at a time.

The bytes of all hashes of a batch lie in one flat array; every step is made for all rows at once. Only SHA-256 is
called row by row, since that is the whole cost of it. `tests/oracles/decoder.py` says the same slowly.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pybase64

from pipeline.hardware_hash import arrays, fields, layout, text
from pipeline.hardware_hash.arrays import Bytes, Ints, Mask
from schemas.device import DECODED_COLUMNS

GROUP_ROWS = 4_096
"""Rows decoded at once: about 12 MB of bytes, the size from which larger groups were no faster."""

_OVERRUN = 64
"""Zero bytes behind the flat array, so that a header may be read at its very end without a bounds check."""


@dataclass(frozen=True, slots=True)
class Blobs:
    """Decoded bytes of some rows.

    Attributes:
        flat: the bytes of all rows, one after the other, and a few zeros.
        start: where each row begins.
        size: how many bytes each row's text stands for.
        filled: the same with the bits of an incomplete last group, which must be zero.
    """

    flat: Bytes
    start: Ints
    size: Ints
    filled: Ints


def decode(hashes: pl.Series, *, single: bool = False) -> pl.DataFrame:
    """Decode and verify hardware hashes.

    Args:
        hashes: base64 text, trimmed; null where a row has none.
        single: the values were given alone, so that more kinds of damage are looked for.

    Returns:
        One row for each hash, in order, with the columns of `schemas.device.DECODED_COLUMNS`. `hash_fault` is the
        reason code of the first check that failed, and null where the hash is verified or absent.
    """
    groups = [hashes[at : at + GROUP_ROWS] for at in range(0, len(hashes), GROUP_ROWS)] or [hashes]
    return pl.concat([_decode_group(group, single=single) for group in groups])


def _decode_group(hashes: pl.Series, *, single: bool) -> pl.DataFrame:
    frame = pl.DataFrame({"text": hashes}).with_row_index("at").drop_nulls("text")
    canonical = frame.with_columns(repaired=~text.is_canonical(pl.col("text")))
    decoded = _verify(canonical.filter(~pl.col("repaired")))
    damaged = canonical.filter(pl.col("repaired"))
    if damaged.height:
        decoded = pl.concat([decoded, _decode_damaged(damaged, single=single)])
    positions = pl.DataFrame({"at": pl.int_range(len(hashes), eager=True, dtype=pl.UInt32)})
    return (
        positions.join(decoded, on="at", how="left", maintain_order="left", validate="1:1")
        .with_columns(pl.col("hash_verified", "hash_repaired").fill_null(value=False))
        .select(DECODED_COLUMNS)
    )


def _decode_damaged(damaged: pl.DataFrame, *, single: bool) -> pl.DataFrame:
    """Try the repairs; where blanks leave two readings, the one whose digest verifies is right."""
    repair = text.repair_single if single else text.repair
    repaired = damaged.with_columns(text=repair(pl.col("text")))
    dropped = repaired.with_columns(text=text.drop_blanks(pl.col("text")))
    first = _verify(dropped)
    unsolved = first.filter(~pl.col("hash_verified")).select("at")
    again = repaired.filter(text.has_blanks(pl.col("text"))).join(unsolved, on="at", how="semi")
    second = _verify(again.with_columns(text=text.blanks_to_plus(pl.col("text")))).filter("hash_verified")
    return pl.concat([first.join(second, on="at", how="anti"), second])


def _verify(rows: pl.DataFrame) -> pl.DataFrame:
    """Decode rows of `at`, `text`, `repaired` whose text is as good as it gets."""
    readable = rows.with_columns(readable=text.in_alphabet(pl.col("text")))
    no_base64 = readable.filter(~pl.col("readable")).select("at", hash_fault=pl.lit("HASH_NOT_BASE64"))
    rows = readable.filter("readable")
    blobs = _to_bytes(rows["text"])
    fault, total = _check_container(blobs)
    sound = fault == ""
    records = fields.walk(blobs.flat, blobs.start, total, sound)
    fault[records.malformed] = "HASH_MALFORMED"
    verified = fault == ""
    body = fields.read(blobs.flat, blobs.start, total, records, verified)
    decoded = body.with_columns(
        rows["at"],
        pl.Series("hash_fault", fault.tolist(), dtype=pl.String).replace("", None),
        pl.Series("hash_verified", verified),
        pl.Series("hash_repaired", verified) & rows["repaired"],
        pl.Series("hash_bytes", blobs.size, dtype=pl.UInt32),
    )
    return pl.concat([decoded.select("at", *DECODED_COLUMNS), no_base64], how="diagonal").with_columns(
        pl.col("hash_verified", "hash_repaired").fill_null(value=False)
    )


def _to_bytes(texts: pl.Series) -> Blobs:
    """Decode all texts in one call: each is filled with zero bits (`A`) to whole groups of four characters."""
    bare = texts.str.strip_chars_end("=")
    chars = bare.str.len_bytes().cast(pl.Int64).to_numpy()
    missing = -chars % 4
    filled_text = bare + pl.Series(["", "A", "AA", "AAA"]).gather(pl.Series(missing, dtype=pl.UInt32))
    joined = filled_text.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()[2]
    raw = pybase64.b64decode(joined or b"", validate=True)
    filled = (chars + missing) // 4 * 3
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(filled)[:-1]])[: len(chars)]
    return Blobs(np.frombuffer(raw + bytes(_OVERRUN), np.uint8), start, chars * 3 // 4, filled)


def _check_container(blobs: Blobs) -> tuple[npt.NDArray[np.object_], Ints]:
    """Reason code of each row's container ("" if sound) and its `total`, in the order of the contract."""
    flat, start, size = blobs.flat, blobs.start, blobs.size
    total = arrays.u16(flat, start + 2)
    magic = (size >= len(layout.MAGIC)) & arrays.equals(flat, start, layout.MAGIC)
    complete = size >= layout.HEADER_BYTES
    fault = np.full(len(start), "", dtype=object)

    def mark(mask: Mask, code: str) -> None:
        fault[mask & (fault == "")] = code

    mark(~magic | (complete & (total < layout.HEADER_BYTES)), "HASH_BAD_HEADER")
    mark(~complete | (total + layout.TRAILER_BYTES > size), "HASH_TRUNCATED")
    within = fault == ""
    signed_end = np.where(within, total, 0)
    mark(~arrays.equals(flat, start + signed_end, layout.TRAILER), "HASH_CHECKSUM")
    mark(~_digest_holds(flat, start, signed_end, fault == ""), "HASH_CHECKSUM")
    dirt = arrays.any_nonzero(flat, start + signed_end + layout.TRAILER_BYTES, start + blobs.filled, fault == "")
    mark(dirt, "HASH_MALFORMED")
    return fault, total


def _digest_holds(flat: Bytes, start: Ints, total: Ints, rows: Mask) -> Mask:
    view = flat.data
    holds = np.zeros(len(start), bool)
    for row in np.flatnonzero(rows):
        begin, end = start[row], start[row] + total[row]
        digest = view[end + len(layout.TRAILER) : end + layout.TRAILER_BYTES]
        holds[row] = hashlib.sha256(view[begin:end]).digest() == digest
    return holds

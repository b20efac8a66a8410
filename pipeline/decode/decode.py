"""Decodes hardware hashes, many at a time.

The bytes of all hashes of a batch lie in one flat array; every step is made for all rows at once.
`tests/oracles/decoder.py` says the same slowly.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline import arrays
from pipeline.arrays import Bytes, Ints, Mask
from pipeline.decode import fields, layout, text
from schemas.device import DECODED_COLUMNS

GROUP_ROWS = 8_192
"""Rows decoded at once, more than a block of text usually holds: a remainder of few rows costs as much as many."""


@dataclass(frozen=True, slots=True)
class Blobs:
    """Decoded bytes of some rows.

    Attributes:
        flat: the bytes of all rows, one after the other, and some zeros, so that a header may be read at the very end.
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
    frame = (
        pl.DataFrame({"text": hashes})
        .with_row_index("at")
        .drop_nulls("text")
        .with_columns(repaired=pl.lit(value=False))
    )
    encoded = text.read_base64(frame["text"])
    if encoded.canonical.all():
        decoded = _verify(frame, encoded)
    else:
        clean, damaged = frame.filter(encoded.canonical), frame.filter(~encoded.canonical)
        decoded = pl.concat([_verify(clean), _decode_damaged(damaged, single=single)])
    if decoded.height == len(hashes):
        return decoded.sort("at").select(DECODED_COLUMNS)
    positions = pl.DataFrame({"at": pl.int_range(len(hashes), eager=True, dtype=pl.UInt32)})
    return (
        positions.join(decoded, on="at", how="left", maintain_order="left", validate="1:1")
        .with_columns(pl.col("hash_verified", "hash_repaired").fill_null(value=False))
        .select(DECODED_COLUMNS)
    )


def _decode_damaged(damaged: pl.DataFrame, *, single: bool) -> pl.DataFrame:
    """Try the repairs; where blanks leave two readings, the one whose digest verifies is right."""
    repair = text.repair_single if single else text.repair
    repaired = damaged.with_columns(text=repair(pl.col("text")), repaired=pl.lit(value=True))
    dropped = repaired.with_columns(text=text.drop_blanks(pl.col("text")))
    first = _verify(dropped)
    unsolved = first.filter(~pl.col("hash_verified")).select("at")
    again = repaired.filter(text.has_blanks(pl.col("text"))).join(unsolved, on="at", how="semi")
    second = _verify(again.with_columns(text=text.blanks_to_plus(pl.col("text")))).filter("hash_verified")
    return pl.concat([first.join(second, on="at", how="anti"), second])


def _verify(rows: pl.DataFrame, encoded: text.Base64 | None = None) -> pl.DataFrame:
    """Check and read rows of `at`, `text`, `repaired` whose text is as good as it gets."""
    encoded = encoded or text.read_base64(rows["text"])
    no_base64 = rows.filter(~encoded.readable).select("at", hash_fault=pl.lit("HASH_NOT_BASE64"))
    rows = rows.filter(encoded.readable) if no_base64.height else rows
    blobs = _place(encoded)
    fault, total, digest = _check_container(blobs)
    records = fields.walk(blobs.flat, blobs.start, total, fault == "")
    fault[records.malformed] = "HASH_MALFORMED"
    verified = fault == ""
    body = fields.read(blobs.flat, blobs.start, total, records, verified)
    decoded = body.with_columns(
        rows["at"],
        pl.Series("hash_fault", fault, dtype=pl.String).replace("", None),
        pl.Series("hash_verified", verified),
        pl.Series("hash_repaired", verified) & rows["repaired"],
        pl.Series("hash_bytes", blobs.size, dtype=pl.UInt32),
        hardware_hash_id=pl.when(pl.Series(verified)).then(digest),
    )
    return pl.concat([decoded.select("at", *DECODED_COLUMNS), no_base64], how="diagonal").with_columns(
        pl.col("hash_verified", "hash_repaired").fill_null(value=False)
    )


def _place(encoded: text.Base64) -> Blobs:
    """Where the bytes of each readable text lie."""
    chars = encoded.chars[encoded.readable]
    filled = (chars + -chars % 4) // 4 * 3
    start = np.cumsum(filled) - filled
    return Blobs(np.frombuffer(encoded.raw, np.uint8), start, chars * 3 // 4, filled)


def _check_container(blobs: Blobs) -> tuple[npt.NDArray[np.object_], Ints, pl.Series]:
    """Reason code of each row's container ("" if sound), its `total` and its digest, in the order of the contract."""
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
    sound = fault == ""
    digest = arrays.sha256(arrays.slices(flat, start, np.where(sound, total, 0)))
    digest_at = start + np.where(sound, total + len(layout.TRAILER), 0)
    stored = arrays.hexadecimal(arrays.slices(flat, digest_at, np.where(sound, layout.DIGEST_BYTES, 0)))
    mark((digest != stored).to_numpy(), "HASH_CHECKSUM")
    dirt = arrays.any_nonzero(flat, start + signed_end + layout.TRAILER_BYTES, start + blobs.filled, fault == "")
    mark(dirt, "HASH_MALFORMED")
    return fault, total, digest

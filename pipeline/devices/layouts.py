"""The files that Microsoft's portals take, and what of a device cannot be written in them.

ANSI, no quotation marks, no comma inside a value, the documented header. What could not be read back as it is, and what
an intake would refuse, is not written: it is told, and nothing of it is changed.
"""

from dataclasses import dataclass

import polars as pl

from pipeline.ingest.fields import TRIMMED
from pipeline.ingest.layout import row_limit
from pipeline.ingest.secrets import holds_product_key
from pipeline.settings import GROUP_TAG_LIMIT
from schemas.columns import COLUMN_NAMES, same_name
from schemas.device import USUAL_BYTES
from schemas.identities import TUPLE_FAULTS, is_product_id, with_tuple_faults
from schemas.manifest import FORMULA, HIDDEN

ENCODING = "cp1252"
"""What Windows calls ANSI in most of its languages."""


def _of_bytes(first: int, last: int) -> str:
    """The characters of a class of regular expressions that some bytes stand for."""
    texts = (bytes([byte]).decode(ENCODING, errors="ignore") for byte in range(first, last + 1))
    return "".join(f"\\x{{{ord(text):x}}}" for text in texts if text)


_ANSI = rf"^[\x00-\x7f{_of_bytes(0x80, 0xFF)}]*$"
_NEXT = f"[{_of_bytes(0x80, 0xBF)}]"
_AS_UTF_8 = (
    f"[{_of_bytes(0xC2, 0xDF)}]{_NEXT}|[{_of_bytes(0xE0, 0xEF)}]{_NEXT}{{2}}|[{_of_bytes(0xF0, 0xF4)}]{_NEXT}{{3}}"
)
"""Text whose bytes are a character of UTF-8, so that a file with it is taken for one."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One portal's file.

    Attributes:
        name: `intune` or `partner_center`.
        columns: canonical columns, in order.
        by_tag: whether a file holds one group tag, for which it has no column.
    """

    name: str
    columns: tuple[str, ...]
    by_tag: bool

    @property
    def header(self) -> str:
        """The first line, as documented."""
        return ",".join(COLUMN_NAMES[column][0] for column in self.columns)

    @property
    def most_rows(self) -> int:
        """Devices that a file may hold."""
        return row_limit(self.name)


_USUAL_CHARACTERS = USUAL_BYTES * 4 // 3
_KEY = "a product key"
_BASE = ("serial_number", "windows_product_id", "hardware_hash")
LAYOUTS = {
    "intune": Layout("intune", (*_BASE, "group_tag", "assigned_user"), by_tag=False),
    "partner_center": Layout("partner_center", (*_BASE, "manufacturer", "model"), by_tag=True),
}

CELLS = ("serial_number", "product_id", "hardware_hash", "manufacturer", "model", "group_tag", "assigned_user")
"""What of a registration is written."""


def with_cells(devices: pl.DataFrame) -> pl.DataFrame:
    """Devices with what stands in their cells: a hash has its own product ID, which need not be one."""
    own = pl.col("product_id")
    return devices.with_columns(
        windows_product_id=pl.when(pl.col("hardware_hash").is_null() | is_product_id(own)).then(own)
    )


def lines(layout: Layout) -> pl.Expr:
    """The devices' lines, each with its end; hashes are padded to their usual length."""
    # In base64 bytes of zero are as many A, and those that a last group of four lacks are its equals signs.
    encoded = pl.col("hardware_hash").bin.encode("base64").str.strip_chars_end("=")
    padded = encoded.str.pad_end(_USUAL_CHARACTERS, "A")
    cells = [padded if name == "hardware_hash" else pl.col(name) for name in layout.columns]
    return pl.concat_str([cell.fill_null("") for cell in cells], separator=",") + "\r\n"


def obstacles(devices: pl.DataFrame, layout: Layout) -> pl.Series:
    """Why devices cannot be written, in words; null where they can.

    Args:
        devices: as `with_cells` gives them.
        layout: the file's.
    """
    judged = with_tuple_faults(devices)
    told = [
        *_of_identity(layout),
        *(found for name in layout.columns if name != "hardware_hash" for found in _of_text(name)),
        pl.when(layout.by_tag & holds_product_key(pl.col("group_tag"))).then(pl.lit(f"group_tag: {_KEY}")),
        pl.when(_reads_like_header(layout)).then(pl.lit("its line would read like a header")),
    ]
    return judged.select(pl.concat_str(told, separator="; ", ignore_nulls=True).replace("", None)).to_series()


def _of_identity(layout: Layout) -> list[pl.Expr]:
    hash_ = pl.col("hardware_hash")
    has_hash, has_product_id = hash_.is_not_null(), pl.col("windows_product_id").is_not_null()
    is_tuple = ~has_hash & ~has_product_id
    too_long = pl.when(hash_.bin.size() > USUAL_BYTES).then(pl.lit(f"hardware_hash: longer than {USUAL_BYTES:,} bytes"))
    if layout.name == "intune":
        return [too_long, pl.when(~has_hash).then(pl.lit("hardware_hash: none, and this portal takes nothing else"))]
    whole = pl.all_horizontal(pl.col(name).is_not_null() for name in TUPLE_FAULTS)
    faults = [
        pl.when(is_tuple).then(pl.format("{}: {}", pl.lit(name), pl.col(fault))) for name, fault in TUPLE_FAULTS.items()
    ]
    unknown = "no hash, no product ID, and not all of serial number, manufacturer and model"
    return [
        too_long,
        pl.when(is_tuple & ~whole).then(pl.lit(unknown)),
        pl.when(~has_hash & has_product_id & ~is_product_id(pl.col("windows_product_id"))).then(
            pl.lit("windows_product_id: not 13 digits")
        ),
        *faults,
    ]


def _of_text(name: str) -> list[pl.Expr]:
    text = pl.col(name)
    faults = {
        "a comma, a quotation mark or a line break": text.str.contains('[,"\r\n]'),
        "a character that is not seen": text.str.contains(HIDDEN),
        "a character that ANSI does not have": ~text.str.contains(_ANSI),
        "characters that would be read as UTF-8": text.str.contains(_AS_UTF_8),
        "blanks around it": text != text.str.strip_chars(TRIMMED),
        "begins like a formula": text.str.contains(FORMULA),
        _KEY: holds_product_key(text),
    }
    if name == "group_tag":
        faults[f"longer than {GROUP_TAG_LIMIT} characters"] = text.str.len_chars() > GROUP_TAG_LIMIT
    return [pl.when(fault).then(pl.lit(f"{name}: {told}")) for told, fault in faults.items()]


def _reads_like_header(layout: Layout) -> pl.Expr:
    """Whether half of what stands in a line are names of columns."""
    names = pl.Series([name for known in COLUMN_NAMES.values() for name in known])
    known = pl.select(same_name(pl.lit(names))).to_series().implode()
    cells = [pl.col(name) for name in layout.columns if name != "hardware_hash"]
    named = pl.sum_horizontal(same_name(cell).is_in(known).fill_null(value=False).cast(pl.UInt32) for cell in cells)
    filled = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.UInt32) for name in layout.columns)
    return (named > 0) & (2 * named >= filled)

"""What is no product ID, no serial number, no manufacturer and no model, though it stands where one belongs.

Where serial number, manufacturer and model are the identity, they are all that tells two devices apart: what people
or programs put there for want of a value must never register a device, and is no evidence that two are the same.
"""

import re
import string

import polars as pl

from schemas.columns import COLUMN_NAMES, NOT_COMPARED
from schemas.manufacturers import BUILT_IN_MAKERS

HARDWARE_HASH = r"T0[A-Za-z0-9+/]{60}"
"""What a hardware hash begins with, long enough to be nothing else."""

THIRTEEN_DIGITS = r"(?:^|[^0-9])[0-9]{13}(?:$|[^0-9])"

_PRODUCT_ID = r"^[0-9]{13}$"
_ROUNDED_PRODUCT_ID = r"0{7}$"
"""A spreadsheet that stored the number in six digits or fewer left this behind; such a number names no device."""

TUPLE_FAULTS = {"serial_number": "serial_fault", "manufacturer": "manufacturer_fault", "model": "model_fault"}
"""For each part of the tuple the column that says why its value is none."""

SHIFTED = "COLUMNS_SHIFTED"
_PLACEHOLDERS = (
    "to be filled by o.e.m.",
    "to be filled by oem",
    "default string",
    "system serial number",
    "serial number",
    "chassis serial number",
    "base board serial number",
    "not specified",
    "not applicable",
    "not available",
    "none",
    "n/a",
    "na",
    "null",
    "unknown",
    "invalid",
    "oem",
    "o.e.m.",
    "empty",
    "default",
    "x.x.x",
    "0",
    "00",
    "0123456789",
    "123456789",
    "1234567890",
    "12345678",
)
_ONE_CHARACTER = "|".join(f"{re.escape(char)}+" for char in string.ascii_lowercase + string.digits + string.punctuation)
_NO_SERIAL = (
    rf"(?is)^[ \t\x{{a0}}]*(?:{'|'.join(map(re.escape, _PLACEHOLDERS))}|.{{0,2}}|{_ONE_CHARACTER})[ \t\x{{a0}}]*$"
)
"""What is known to stand for nothing, fewer than three characters, and one character repeated."""

_LONGEST_SERIAL = 64
"""Characters of a serial number; what is longer is a sentence, a list or a hardware hash."""

_WORDS_FOR_NOTHING = (
    "tbd tba tbc pending missing unknown none null nil nan na n a blank empty no not yet available applicable "
    "specified provided known see delivery note invoice order later follows to be confirmed announced determined "
    "filled by oem o e m serial number sn system default string product name manufacturer model sample example test "
    "dummy x xx xxx"
)
_NOTHING_BUT_WORDS = rf"(?i)^[\W_]*(?:(?:{'|'.join(_WORDS_FOR_NOTHING.split())})(?:[\W_]+|$))*$"
"""Cut at blanks and punctuation. A value without any word is one, too."""

_SEVERAL_OR_TEMPLATE = "[,;/\\\\&|(){}\\[\\]<>\"'#=*\u2018-\u201f\u2039\u203a\u00ab\u00bb\u00b4`]"

_COLUMN = (
    rf"(?i)^{NOT_COMPARED}*(?:"
    + "|".join(
        f"{NOT_COMPARED}*".join(re.escape(char) for char in re.sub(r"[\s_.*:-]", "", name))
        for names in COLUMN_NAMES.values()
        for name in names
    )
    + rf"){NOT_COMPARED}*$"
)

_MONTH = (
    "(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|january|february|march|april|june|july|august|september|"
    "october|november|december|jän|januar|februar|mär|mrz|märz|mai|juni|juli|okt|oktober|dez|dezember|janv|févr|mars|"
    "avr|avril|juin|juil|juillet|août|déc)"
)
_DAY = r"(?:0?[1-9]|[12][0-9]|3[01])"
_YEAR = r"(?:(?:19|20)[0-9]{2})"
_CLOCK = r"(?:[T ][0-9]{1,2}:[0-9]{2}.*)?"
_APART = r"[-./ ]{1,2}"
_DAMAGE = (
    # An error value: the ones that end as such, and the translations that do not.
    r"^#[¡\p{Lu}][\p{Lu}0-9/_¡ ]*(?:[!?]|/A)$",
    r"^#(?:NV|N/[DBV]|I/T|YOK|HIÁNYZIK|NENÍ_K_DISPOZICI|\x{41d}/\x{414}|GETTING_DATA)$",
    # A number in scientific notation, which always has a sign there: 12E4567 is a genuine tag.
    r"(?i)^[0-9]+(?:[.,][0-9]+)?E[+-][0-9]+$",
    r"^[0-9]+[.,]0+$",
    rf"(?i)^{_MONTH}{_APART}(?:{_DAY}|[0-9]{{2}}|{_YEAR})$",
    rf"(?i)^{_DAY}{_APART}{_MONTH}\.?(?:{_APART}(?:[0-9]{{2}}|{_YEAR}))?{_CLOCK}$",
    rf"^{_YEAR}[-./](?:0?[1-9]|1[0-2])[-./]{_DAY}{_CLOCK}$",
    rf"^{_DAY}[-./]{_DAY}[-./](?:[0-9]{{2}}|{_YEAR}){_CLOCK}$",
    # What makes a spreadsheet take a number for text, where the spreadsheet did not take it away.
    "^['`\u2018\u2019\u201b\u02bc\u00b4\uff07]",
)
SPREADSHEET_DAMAGE = "|".join(f"(?:{pattern})" for pattern in _DAMAGE)
"""A value that a spreadsheet made of another: an error, a rounded number, a date, or the mark of a text."""


def is_product_id(value: pl.Expr) -> pl.Expr:
    """Whether a value is a Windows product ID that no spreadsheet has rounded. Null stays null."""
    return value.str.contains(_PRODUCT_ID) & ~value.str.contains(_ROUNDED_PRODUCT_ID)


def is_placeholder(serial: pl.Expr) -> pl.Expr:
    """Whether a serial number, of a system or a disk, stands for none. Null stays null."""
    return _is_listed(serial) | says_nothing(serial)


def _is_listed(serial: pl.Expr) -> pl.Expr:
    one_character = serial.str.strip_chars(serial.str.head(1)) == ""
    return serial.str.contains(_NO_SERIAL) | one_character


def says_nothing(value: pl.Expr) -> pl.Expr:
    """Whether all words of a value are ones for nothing. Null stays null."""
    return value.str.contains(_NOTHING_BUT_WORDS)


def is_spreadsheet_damage(value: pl.Expr) -> pl.Expr:
    """Whether a spreadsheet made the value. Null stays null."""
    return value.str.contains(SPREADSHEET_DAMAGE)


def serial_fault(serial: pl.Expr, makers: pl.Series) -> pl.Expr:
    """Why the value of a serial number's cell is none: the code of the first kind that fits, null where it may be one.

    Args:
        serial: trimmed values.
        makers: every spelling of the known manufacturers, in lower case.
    """
    is_maker = serial.str.to_lowercase().is_in(makers.implode())
    is_format = (
        serial.str.contains(_SEVERAL_OR_TEMPLATE)
        | serial.str.contains(_COLUMN)
        | (serial.str.len_chars() > _LONGEST_SERIAL)
    )
    return (
        pl.when(is_spreadsheet_damage(serial))
        .then(pl.lit("SPREADSHEET_DAMAGE"))
        .when(says_nothing(serial) | (_is_listed(serial) & ~is_maker))
        .then(pl.lit("SERIAL_PLACEHOLDER"))
        .when(is_format)
        .then(pl.lit("SERIAL_FORMAT"))
        .when(is_maker)
        .then(pl.lit(SHIFTED))
    )


def name_fault(name: pl.Expr) -> pl.Expr:
    """Why a value is no manufacturer, or no model: the code, null where it may be one."""
    return (
        pl.when(is_spreadsheet_damage(name))
        .then(pl.lit("SPREADSHEET_DAMAGE"))
        .when(says_nothing(name) | (name == "0"))
        .then(pl.lit("TUPLE_PLACEHOLDER"))
    )


def with_tuple_faults(rows: pl.DataFrame, makers: pl.Series = BUILT_IN_MAKERS) -> pl.DataFrame:
    """Add why the parts of a tuple are none.

    Args:
        rows: one row a record, with the trimmed cells `serial_number`, `manufacturer` and `model`, and where it was
            read from files `spoilt_cells`: those that a spreadsheet stored as something else than text.
        makers: every spelling of the known manufacturers, in lower case.

    Returns:
        The same rows with the columns of `TUPLE_FAULTS`: a code, null where the value may be genuine or is absent.
    """
    faults = {
        "serial_number": serial_fault(pl.col("serial_number"), makers),
        "manufacturer": name_fault(pl.col("manufacturer")),
        "model": name_fault(pl.col("model")),
    }
    if "spoilt_cells" in rows.columns and rows["spoilt_cells"].null_count() < rows.height:
        spoilt = {name: pl.col("spoilt_cells").str.contains(rf"\b{name}\b") for name in faults}
        faults = {
            name: pl.when(spoilt[name]).then(pl.lit("SPREADSHEET_DAMAGE")).otherwise(fault)
            for name, fault in faults.items()
        }
    return rows.with_columns(**{TUPLE_FAULTS[name]: fault for name, fault in faults.items()})


_VIRTUAL_MANUFACTURERS = (
    r"(?i)^(vmware|qemu|xen|innotek|parallels|bochs|red hat|nutanix|oracle corporation$|google$|amazon ec2)"
)
_VIRTUAL_MODELS = r"(?i)^(virtual machine|virtualbox|vmware|kvm|standard pc|hvm domu|parallels)"
"""Manufacturer and model of virtual machines, as their firmware reports them."""


def is_virtual(manufacturer: pl.Expr, model: pl.Expr, on_vmbus: pl.Expr) -> pl.Expr:
    """Whether the device is a virtual machine, by its names or its bus."""
    named = manufacturer.str.contains(_VIRTUAL_MANUFACTURERS).fill_null(value=False)
    modelled = model.str.contains(_VIRTUAL_MODELS).fill_null(value=False)
    return named | modelled | on_vmbus.fill_null(value=False)


def known(value: pl.Expr, junk: pl.Expr) -> pl.Expr:
    """The value, or null where it is junk."""
    return pl.when(~junk).then(value)

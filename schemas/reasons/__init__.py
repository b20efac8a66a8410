"""The one catalogue of reasons and warnings.

`explain`, the report, the output schemas and the table in the reference are all made from it. Its order is that of the
families, and within one that in which its reasons are declared: the primary reason of a row is its first finding here.
Codes are never renamed or reused.
"""

from schemas.reasons.of_fields import OF_FIELDS
from schemas.reasons.of_files import OF_FILES
from schemas.reasons.of_identity import OF_IDENTITY
from schemas.reasons.of_matches import OF_MATCHES
from schemas.reasons.of_rights import OF_RIGHTS
from schemas.reasons.of_warnings import OF_WARNINGS
from schemas.reasons.otherwise import otherwise
from schemas.reasons.reason import Family, Outcome, Owner, Reason, Waits

__all__ = [
    "CATALOGUE",
    "CORRECTABLE",
    "FILE_CODES",
    "MEANINGS",
    "OUTCOMES",
    "REASON_CODES",
    "SENT_WHOLE",
    "SERVED",
    "STRUCTURE_CODES",
    "WARNING_CODES",
    "Family",
    "Outcome",
    "Owner",
    "Reason",
    "Waits",
    "codes_of",
]

_DECLARED = (*OF_FILES, *OF_RIGHTS, *OF_IDENTITY, *OF_FIELDS, *OF_MATCHES, *OF_WARNINGS)

CATALOGUE: dict[str, Reason] = {
    reason.code: reason for family in Family for reason in _DECLARED if reason.family is family
}
"""All reasons and warnings, by code."""

MEANINGS: dict[str, Reason] = {
    reason.meaning: reason
    for code in CATALOGUE
    for reason in (CATALOGUE[code], *(one for one in otherwise(_DECLARED) if one.code == code))
}
"""The catalogue, and beside each reason what is said in its place of some rows, by `Reason.meaning`."""

OUTCOMES: dict[str, Outcome] = {code: reason.outcome for code, reason in CATALOGUE.items() if reason.outcome}
"""What becomes of a row by its primary reason."""

REASON_CODES: tuple[str, ...] = tuple(OUTCOMES)
WARNING_CODES: tuple[str, ...] = tuple(code for code in CATALOGUE if code not in OUTCOMES)

FILE_CODES: tuple[str, ...] = tuple(code for code, reason in CATALOGUE.items() if reason.of_file)
"""Reasons and warnings that every row of a file has where one has them."""

SENT_WHOLE: tuple[str, ...] = tuple(code for code, reason in CATALOGUE.items() if reason.sent_whole)
"""Reasons for which the file itself has to be sent again."""

STRUCTURE_CODES: tuple[str, ...] = tuple(code for code in OUTCOMES if OUTCOMES[code] is Outcome.STRUCTURE)
"""Reasons of lines that are no rows of data."""

CORRECTABLE: tuple[str, ...] = tuple(code for code, reason in CATALOGUE.items() if reason.is_correctable)
"""Reasons that a partner can mend in the row and deliver that again."""

SERVED: tuple[str, ...] = tuple(
    code for code in OUTCOMES if CATALOGUE[code].nothing_to_do and OUTCOMES[code] is Outcome.DUPLICATE
)
"""Reasons with which a row has what it asked for, or another row of its device was taken."""


def codes_of(*families: Family) -> tuple[str, ...]:
    """Codes of the named families, in the catalogue's order."""
    return tuple(reason.code for reason in CATALOGUE.values() if reason.family in families)

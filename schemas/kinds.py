"""Kinds of manifest: what a delivery can ask for, and all in which one kind differs from another.

The light part, for what reads files; the rules of a row are in `schemas.rows`, the sets in `schemas.outcome`.
"""

from dataclasses import dataclass

from schemas.columns import COLUMN_NAMES, MANIFEST_COLUMNS
from schemas.reasons import MEANINGS, Family, Reason, codes_of


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of manifest.

    Attributes:
        name: what requests of it are called.
        folder: directly below the partner's or tenant's folder, in any case, it makes a file one of this kind; None
            for what lies in no such folder.
        columns: those that its header may name, each with its names, the documented one first.
        headers: columns of which any group makes a line a header.
        telltale: the column that, by its documented name, shows a file to be of this kind wherever it lies, so that
            what was put into a wrong folder is not taken for another kind; None where no column does.
        list_of: the column whose values a file without a header is a list of, where each record is one field; None
            where such a file is none.
        identities: what a row names its device by, the first that it has.
        unchecked: codes that are not looked for.
        published: the set that its rows are in where they are carried out.
        corrected: the name, without its ending, of the files that partners get rows in to correct.
        makes_device: a request that is carried out becomes a registration of the request's own id; else it ends one.
        satisfied: primary reasons with which a request has what it asked for.
    """

    name: str
    folder: str | None
    columns: dict[str, tuple[str, ...]]
    headers: tuple[frozenset[str], ...]
    telltale: str | None
    list_of: str | None
    identities: tuple[str, ...]
    unchecked: tuple[str, ...]
    published: str
    corrected: str
    makes_device: bool
    satisfied: tuple[str, ...] = ()

    def reason_of(self, code: str) -> Reason:
        """What a code says of a row of this kind."""
        return MEANINGS.get(f"{code}-{self.name}", MEANINGS[code])


REGISTRATION, DEPARTURE = "registration", "departure"

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            REGISTRATION,
            folder=None,
            columns=COLUMN_NAMES,
            headers=(
                frozenset({"hardware_hash"}),
                frozenset({"windows_product_id"}),
                frozenset({"serial_number", "manufacturer", "model"}),
            ),
            telltale=None,
            list_of=None,
            identities=("hash", "product_id", "tuple"),
            unchecked=(),
            published="registered",
            corrected="resubmit",
            makes_device=True,
            satisfied=("ALREADY_REGISTERED", "REGISTERED_BY_CUSTOMER"),
        ),
        Kind(
            DEPARTURE,
            folder="departures",
            columns={name: column.names for name, column in MANIFEST_COLUMNS.items()},
            headers=tuple(
                frozenset({name})
                for name in ("registration_id", "hardware_hash", "windows_product_id", "serial_number")
            ),
            telltale="departure_reason",
            list_of="serial_number",
            identities=("device_id", "hash", "product_id", "serial_number"),
            unchecked=("AUTH_CHANNEL", *codes_of(Family.EXCLUSION)),
            published="deregistered",
            corrected="departures-resubmit",
            makes_device=False,
        ),
    )
}
"""All kinds, by name."""

MISTAKEN_FOLDERS = frozenset({"departure", "departed", "deregister", "deregistered"})
"""Names of folders by which something else than a tenant was meant; what, is not guessed."""


def kind_of_folder(name: str) -> str | None:
    """The kind whose folder this is; None for any other."""
    return next((kind.name for kind in KINDS.values() if kind.folder == name.casefold()), None)

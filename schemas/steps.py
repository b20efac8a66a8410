"""What remains once a registration has ended: deregistering ends the Autopilot registration, and nothing else.

The table of steps, in the order in which they are taken, and the file that lists them.
"""

from dataclasses import dataclass

import pandera.polars as pa
import polars as pl

from schemas.columns import Column, types_of
from schemas.gate import gate

CUSTOMER, PARTNER, OPERATOR = "customer", "partner", "operator"
OPEN, DONE = "open", "done"

EVERY, REPAIR, TRANSFER = "every", "repair", "transfer"
"""Departures that a step belongs to."""

SYSTEMS = {
    "intune": "Microsoft Intune",
    "autopilot": "Windows Autopilot",
    "entra": "Microsoft Entra ID",
    "active_directory": "Active Directory",
}
"""Where a step is taken, and what people call that."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a departure.

    Attributes:
        name: what it is known by.
        title: what people call it.
        system: where it is taken.
        owner: who takes it, where the registration was a partner's; the customer's own are all the customer's.
        after: the step that comes before it.
        of: departures that it belongs to.
        text: what is to be done, to the person who must act; each sentence is about one system.
    """

    name: str
    title: str
    system: str
    owner: str
    after: str | None
    of: str
    text: str


DEREGISTER, NEW_HASH, NEW_REGISTRATION = "deregister", "new_hash", "new_registration"

STEPS = (
    Step(
        "delete_from_intune",
        "Delete the device from Intune",
        "intune",
        CUSTOMER,
        None,
        EVERY,
        "Note the serial number, then delete the device in Intune under Devices > Windows, before it is enrolled there "
        "again. While it stays enrolled, a profile that converts all targeted devices can register it anew.",
    ),
    Step(
        "unassign_user",
        "Unassign the user",
        "autopilot",
        CUSTOMER,
        "delete_from_intune",
        EVERY,
        "If the list of Windows Autopilot devices still shows the device with a user, unassign the user there.",
    ),
    Step(
        DEREGISTER,
        "End the Autopilot registration",
        "autopilot",
        PARTNER,
        "unassign_user",
        EVERY,
        "The Autopilot registration is ended here; that ends nothing in any other place.",
    ),
    Step(
        "sync",
        "Sync the list of Autopilot devices",
        "autopilot",
        CUSTOMER,
        DEREGISTER,
        EVERY,
        "Choose Sync in the list of Windows Autopilot devices, then Refresh every few minutes until the device is gone "
        "from it.",
    ),
    Step(
        "entra_object",
        "See that the Entra object goes",
        "entra",
        CUSTOMER,
        "sync",
        EVERY,
        "Remove nothing by hand in Microsoft Entra ID: what stands there for the device goes by itself once it is not "
        "needed. Look there again after some days.",
    ),
    Step(
        "computer_object",
        "Hybrid joined only: delete the computer object",
        "active_directory",
        CUSTOMER,
        "sync",
        EVERY,
        "If the device is hybrid joined, delete its computer object in Active Directory Domain Services. If it is not, "
        "nothing is to be done in Active Directory.",
    ),
    Step(
        NEW_HASH,
        "Register the repaired device by its new hash",
        "autopilot",
        PARTNER,
        DEREGISTER,
        REPAIR,
        "Once the device is repaired, capture its new hardware hash and register it by that hash alone: the old hash, "
        "product ID and serial number no longer do.",
    ),
    Step(
        NEW_REGISTRATION,
        "Register the device where it goes",
        "autopilot",
        PARTNER,
        "sync",
        TRANSFER,
        "Register the device for the organisation that gets it, once it is gone from the list of Windows Autopilot "
        "devices that it leaves.",
    ),
)
"""All steps, in order."""

TITLES = {step.name: step.title for step in STEPS}

BY_CUSTOMER_TEXT = (
    "The customer has registered the device itself, so delete it from the list of Windows Autopilot devices."
)
"""Of `deregister`, where an operator has noted the end of what only the customer can end."""

_TEXT = pl.String()
STEP_COLUMNS: dict[str, Column] = {
    "device_id": Column(_TEXT, "the registration that ended", required=True),
    "tenant_id": Column(_TEXT, "whose device it was", required=True),
    "partner_id": Column(_TEXT, "who asked for the departure", required=True),
    "serial_number": Column(_TEXT, "the registration's"),
    "step": Column(_TEXT, ", ".join(f"`{step.name}`" for step in STEPS), required=True),
    "system": Column(_TEXT, "where it is taken: " + ", ".join(f"`{name}`" for name in SYSTEMS), required=True),
    "owner": Column(_TEXT, f"who takes it: `{CUSTOMER}`, `{PARTNER}` or `{OPERATOR}`", required=True),
    "after": Column(_TEXT, "the step that comes before it"),
    "state": Column(_TEXT, f"`{OPEN}` or `{DONE}`", required=True),
    "text": Column(_TEXT, "what is to be done", required=True),
}
"""Columns of `steps.parquet`."""

STEP_TYPES = types_of(STEP_COLUMNS)

REMAINING_STEP = gate(
    STEP_COLUMNS,
    {
        "step": pa.Check.isin(list(TITLES)),
        "system": pa.Check.isin(list(SYSTEMS)),
        "owner": pa.Check.isin([CUSTOMER, PARTNER, OPERATOR]),
        "after": pa.Check.isin(list(TITLES)),
        "state": pa.Check.isin([OPEN, DONE]),
    },
    unique=["device_id", "step"],
)
"""One row is one step of one registration that the run ended; `device_id` and `step` are its key."""

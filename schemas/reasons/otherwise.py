"""Reasons that mean another thing to some rows: to departures, and to what only a new delivery decides."""

from collections.abc import Iterable
from dataclasses import replace

from schemas.reasons.reason import Owner, Reason, Waits

DEPARTURE, FINAL = "departure", "final"


def otherwise(declared: Iterable[Reason]) -> tuple[Reason, ...]:
    """What is said of those rows in place of what is declared of their codes."""
    usual = {reason.code: reason for reason in declared}
    ambiguous = replace(usual["AMBIGUOUS_MATCH"], owner=Owner.PARTNER, waits_for=Waits.DELIVERY, to_decide=False)
    return (
        replace(
            usual["IDENTITY_MISSING"],
            only_of=DEPARTURE,
            remedy="Give the device ID, the hardware hash, the 13-digit product ID, or the serial number.",
        ),
        replace(
            usual["SERIAL_MISMATCH"],
            only_of=DEPARTURE,
            sentence="The serial number of the row is not that of the registration that the row names.",
            remedy="Find out which device leaves, and send its identity with its own serial number, or with none.",
            expected="the serial number of the registration",
        ),
        replace(
            usual["PRODUCT_ID_MISMATCH"],
            only_of=DEPARTURE,
            sentence="The product ID of the row is not that of the registration that the row names.",
            remedy="Find out which device leaves, and send its identity with its own product ID, or with none.",
            expected="the product ID of the registration",
        ),
        replace(
            ambiguous,
            only_of=DEPARTURE,
            sentence="The row does not name one registration: several fit it, its cells point at different ones, or "
            "the device was to be registered in the same run.",
            remedy="Send the row again with the device ID, or the hash, of the registration that is meant; where the "
            "device was to be registered in the same run, once it is.",
            expected="the device ID, or the hash, of one registration",
        ),
        replace(
            ambiguous,
            only_of=FINAL,
            remedy="Find out which device is meant, and whether a departure names it too; then send the row again, "
            "with a hash captured anew, in a new delivery.",
        ),
    )

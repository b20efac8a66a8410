"""Stories of departures: who leaves, who may say so, and what comes in the same night."""

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import HP, Device, with_board
from pipeline.lab.synthesize.night import GRANTED, Night, Truth

_MANY = 21
"""One more than may leave a customer in a run whatever share they are."""


def _registered(night: Night, tenant: str, via: str = "partner_center") -> Device:
    device = night.factory.device()
    night.register(device, tenant, via)
    return device


def departures(night: Night) -> None:
    """Every way to name a device that leaves, and what is named and does not."""
    tenant, other = night.random.sample(night.tenants, 2)
    night.leave("leaves by hash", tenant, hardware_hash=capture(_registered(night, tenant)))
    night.leave("leaves by product ID", tenant, product_id=_registered(night, tenant).product_id or "")
    night.leave("leaves by serial number", tenant, serial=_registered(night, tenant).serial)
    device = _registered(night, tenant)
    night.leave("leaves by tuple", tenant, serial=device.serial, maker=device.maker, model=device.model)
    device = _registered(night, tenant)
    night.leave("leaves twice", tenant, serial=device.serial)
    night.leave("leaves twice", tenant, "DUPLICATE_IN_BATCH", hardware_hash=capture(device))
    night.leave("a stranger leaves", tenant, "NOT_REGISTERED", hardware_hash=capture(night.factory.device()))
    night.leave("another customer's leaves", tenant, "NOT_REGISTERED", serial=_registered(night, other).serial)
    device = night.factory.device(HP)
    night.register(device, tenant)
    night.leave("only alike", tenant, "NOT_REGISTERED", serial=device.serial.lower())
    night.leave("says two things", tenant, "SERIAL_MISMATCH", hardware_hash=capture(device), serial=device.serial + "X")
    own, consented = (_registered(night, tenant, "intune") for _ in range(2))
    night.leave("the customer's own leaves", tenant, "REGISTERED_BY_CUSTOMER", serial=own.serial)
    night.leave("the customer's own leaves over the API", tenant, serial=consented.serial, partner="adatum")


def departures_and_returns(night: Night) -> None:
    """Repair and transfer in one night, and a whole customer that may not leave at once."""
    tenant, other = night.random.sample(night.tenants, 2)
    device = _registered(night, tenant)
    night.leave("repaired in one night", tenant, hardware_hash=capture(device), why="repair")
    repaired = Truth("repaired in one night", warnings=("DEVICE_REPAIRED",))
    night.intune(repaired, tenant, capture(with_board(device, night.factory)))
    device = _registered(night, tenant)
    night.leave("transferred in one night", tenant, serial=device.serial, why="sold")
    night.intune(Truth("transferred in one night"), other, capture(device))
    device = _registered(night, tenant)
    night.leave("listed again as it leaves", tenant, serial=device.serial)
    night.intune(Truth("listed again as it leaves", ("DEVICE_LEFT",)), tenant, capture(device))
    whole = night.customer("leaves as a whole", ("contoso", "active", GRANTED, ""))
    for _ in range(_MANY):
        night.leave("all leave at once", whole, "DEPARTURE_LIMIT", serial=_registered(night, whole).serial)

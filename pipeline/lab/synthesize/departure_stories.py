"""Stories of departures: who leaves, who may say so, and what comes in the same night and the next."""

from dataclasses import replace

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import DELL, HP, LENOVO, Device, recaptured, with_board
from pipeline.lab.synthesize.night import GRANTED, Night, Truth
from schemas.registry import DEREGISTERED

_MANY = 21
"""One more than may leave a customer in a run whatever share they are."""

BY_ID = "registered, and leaves by its ID"
"""Scenario of devices whose departure names the ID that the registry gave them, which no story can know."""


def _registered(night: Night, tenant: str, via: str = "partner_center") -> Device:
    device = night.factory.device()
    night.register(device, tenant, via)
    return device


def departures(night: Night) -> None:
    """Every way to name a device that leaves, and what is named and does not."""
    tenant, other = night.random.sample(night.tenants, 2)
    device = _registered(night, tenant)
    night.leave("leaves by hash", tenant, device, hardware_hash=capture(device))
    device = _registered(night, tenant)
    night.leave("leaves by product ID", tenant, device, product_id=device.product_id or "")
    device = _registered(night, tenant)
    night.leave("leaves by serial number", tenant, device, serial=device.serial)
    device = _registered(night, tenant)
    night.leave("leaves by tuple", tenant, device, serial=device.serial, maker=device.maker, model=device.model)
    device = _registered(night, tenant)
    night.leave("leaves twice", tenant, device, serial=device.serial)
    night.leave("leaves twice", tenant, "DUPLICATE_IN_BATCH", hardware_hash=capture(device))
    night.leave("a stranger leaves", tenant, "NOT_REGISTERED", hardware_hash=capture(night.factory.device()))
    night.leave("another customer's leaves", tenant, "NOT_REGISTERED", serial=_registered(night, other).serial)
    device = night.factory.device(HP)
    night.register(device, tenant)
    night.leave("only alike", tenant, "NOT_REGISTERED", serial=device.serial.lower())
    night.leave("says two things", tenant, "SERIAL_MISMATCH", hardware_hash=capture(device), serial=device.serial + "X")
    own, consented = (_registered(night, tenant, "intune") for _ in range(2))
    night.leave("the customer's own leaves", tenant, "REGISTERED_BY_CUSTOMER", serial=own.serial)
    over_api = "the customer's own leaves over the API"
    night.leave(over_api, tenant, consented, serial=consented.serial, partner="adatum")


def departures_and_returns(night: Night) -> None:
    """Repair and transfer in one night, and a whole customer that may not leave at once."""
    tenant, other = night.random.sample(night.tenants, 2)
    device = _registered(night, tenant)
    night.leave("repaired in one night", tenant, device, hardware_hash=capture(device), why="repair")
    repaired = Truth("repaired in one night", warnings=("DEVICE_REPAIRED",))
    night.intune(repaired, tenant, capture(with_board(device, night.factory)))
    device = _registered(night, tenant)
    night.leave("transferred in one night", tenant, device, serial=device.serial, why="sold")
    night.intune(Truth("transferred in one night"), other, capture(device))
    device = _registered(night, tenant)
    night.leave("listed again as it leaves", tenant, device, serial=device.serial)
    night.intune(Truth("listed again as it leaves", ("DEVICE_LEFT",)), tenant, capture(device))
    whole = night.customer("leaves as a whole", ("contoso", "active", GRANTED, ""))
    for _ in range(_MANY):
        night.leave("all leave at once", whole, "DEPARTURE_LIMIT", serial=_registered(night, whole).serial)


def departures_in_doubt(night: Night) -> None:
    """What is named exactly, and is still more or less than one device."""
    tenant = night.tenant()
    device = night.factory.device(HP)
    for one in (device, replace(night.factory.device(LENOVO), serial=device.serial)):
        night.register(one, tenant)
    night.leave("serial number of two makers leaves", tenant, "AMBIGUOUS_MATCH", serial=device.serial)
    device, namesake = night.factory.device(DELL), night.factory.device(LENOVO)
    for one in (device, replace(namesake, serial=device.serial)):
        night.register(one, tenant)
    one_of_them = "serial number of two makers leaves, with its maker"
    night.leave(one_of_them, tenant, device, serial=device.serial, maker=device.maker)
    first, second = night.factory.device(), night.factory.device()
    for one in (first, replace(second, product_id=first.product_id)):
        night.register(one, tenant)
    shared = first.product_id or ""
    night.leave("product ID of two devices leaves", tenant, "AMBIGUOUS_MATCH", product_id=shared)
    device = _registered(night, tenant)
    replaced = capture(with_board(device, night.factory))
    night.leave("leaves by the hash of its new board", tenant, "NOT_REGISTERED", hardware_hash=replaced)
    new = night.factory.device()
    arriving = Truth("arrives as it leaves", ("AMBIGUOUS_MATCH",))
    night.leave("arrives as it leaves", tenant, "AMBIGUOUS_MATCH", serial=new.serial)
    night.intune(arriving, tenant, capture(new))


def departures_of_last_night(night: Night) -> None:
    """What the first night registered leaves in the second, what left comes back, and what waited for consent."""
    tenant = night.tenant()
    for name, cells in (
        ("hash", lambda device: {"hardware_hash": capture(recaptured(device, night.factory))}),
        ("serial number", lambda device: {"serial": device.serial}),
    ):
        device = night.factory.device()
        night.intune(Truth("registered, and leaves the night after"), tenant, capture(device))
        night.second.leave(f"registered last night, leaves by {name}", tenant, device, **cells(device))
    night.intune(Truth(BY_ID), tenant, capture(night.factory.device()))
    device = night.factory.device()
    night.intune(Truth("registered, and leaves the night after"), tenant, capture(device))
    night.second.leave("registered last night, leaves and is listed", tenant, device, serial=device.serial)
    night.second.intune(Truth("registered last night, listed as it leaves", ("DEVICE_LEFT",)), tenant, capture(device))
    device = _registered(night, tenant)
    night.leave("leaves, and comes back the night after", tenant, device, serial=device.serial)
    again = Truth("left last night, captured anew")
    night.second.intune(again, tenant, capture(recaptured(device, night.factory)))
    device = _registered(night, tenant)
    night.leave("leaves, and once more the night after", tenant, device, serial=device.serial)
    night.second.leave("left last night, leaves again", tenant, "NOT_REGISTERED", serial=device.serial)
    _with_consent(night)


def _with_consent(night: Night) -> None:
    """Departures that waited for the customer's consent: they end what was registered when they were first read."""
    tenant = night.customer("lets leave later", ("northwind", "active", GRANTED, ""))
    statement = ("contoso", tenant, "active", GRANTED, "")
    if statement not in night.second.granted:
        night.second.granted.append(statement)
    device = _registered(night, tenant)
    ended = Truth("waited to leave, and consent came", wanted=DEREGISTERED, ends=device.serial)
    night.leave("waits to leave", tenant, "AUTH_NO_RELATIONSHIP", serial=device.serial, later=ended)
    newer = night.factory.device()
    never = Truth("waited to leave, registered only since", ("NOT_REGISTERED",))
    night.leave("waits to leave", tenant, "AUTH_NO_RELATIONSHIP", serial=newer.serial, later=never)
    night.intune(Truth("registered while its departure waits"), tenant, capture(newer), partner="northwind")

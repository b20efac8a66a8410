"""Stories of devices that share what should be unique: product IDs, UUIDs and serial numbers."""

from dataclasses import replace

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import DELL, HP, LENOVO, Device
from pipeline.lab.synthesize.night import Night, Truth


def shared_product_ids(night: Night) -> None:
    """Makers put one image, with one product ID, on many devices."""
    tenant, device = night.tenant(), night.factory.device
    registered = device()
    night.register(registered, tenant)
    twin = replace(device(), product_id=registered.product_id)
    night.intune(Truth("hash with the product ID of a registered device"), tenant, capture(twin))
    first = device()
    second = replace(device(), product_id=first.product_id)
    for one in (first, second):
        night.intune(Truth("one of two devices with one product ID"), tenant, capture(one))
    first = device()
    second = replace(device(), product_id=first.product_id)
    for one in (first, second):
        night.intune(Truth("one of two devices whose product ID a row names"), tenant, capture(one))
    of_either = Truth("product ID of two devices", ("AMBIGUOUS_MATCH",))
    night.partner_center(of_either, tenant, product_id=first.product_id or "")


def shared_uuids(night: Night) -> None:
    """Firmware that was cloned, UUID and all."""
    tenant, device = night.tenant(), night.factory.device
    first = device(HP)
    for one in (first, _clone(device(HP), first), _clone(device(LENOVO), first)):
        night.intune(Truth("one of three devices with one UUID"), tenant, capture(one))
    first = device(HP, tpm=False)
    for one in (first, _clone(device(HP, tpm=False), first)):
        night.intune(Truth("one UUID, no TPM in either", ("AMBIGUOUS_MATCH",)), tenant, capture(one))
    registered = device(HP, tpm=False)
    night.register(registered, tenant)
    unsure = Truth("UUID of a registered device, no TPM in either", ("AMBIGUOUS_MATCH",))
    night.intune(unsure, tenant, capture(_clone(device(HP, tpm=False), registered)))


def _clone(device: Device, master: Device) -> Device:
    return replace(device, uuid=master.uuid)


def shared_serials(night: Night) -> None:
    """Serial numbers are unique to a maker at best."""
    tenant, device = night.tenant(), night.factory.device
    first = device(HP)
    for one in (first, replace(device(LENOVO), serial=first.serial)):
        night.intune(Truth("one serial number of two makers, by hash"), tenant, capture(one))
    first = device(DELL)
    for one in (first, replace(device(LENOVO), serial=first.serial)):
        night.by_tuple(Truth("one serial number of two makers, by tuple"), tenant, one)
    registered = device(HP)
    night.register(registered, tenant)
    namesake = replace(device(LENOVO), serial=registered.serial)
    night.intune(Truth("serial number of another maker's registered device"), tenant, capture(namesake))
    for one in (device(HP), device(HP)):
        nameless = Truth("no serial number in the firmware", ("SERIAL_PLACEHOLDER",))
        night.intune(nameless, tenant, capture(replace(one, serial="To be filled by O.E.M.")))
    junk = night.factory.junk_serial()
    for one in (device(HP), device(HP), device(HP)):
        unsure = Truth("serial number that a maker wrote to many", ("AMBIGUOUS_MATCH",))
        night.intune(unsure, tenant, capture(replace(one, serial=junk)))
    junk = night.factory.junk_serial()
    night.register(replace(device(LENOVO), serial=junk), tenant)
    alike = Truth("serial number that a maker wrote to many, one registered", ("BOARD_REPLACED",))
    night.intune(alike, tenant, capture(replace(device(LENOVO), serial=junk)))

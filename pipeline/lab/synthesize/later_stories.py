"""Stories of two nights: what was registered, learned or refused in the first comes back in the second."""

from dataclasses import replace

from pipeline.lab.synthesize import devices
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.device_stories import DRIFTS, neighbour
from pipeline.lab.synthesize.devices import HP, LENOVO, Device
from pipeline.lab.synthesize.night import GRANTED, Night, Truth

_REGISTERED = ("ALREADY_REGISTERED",)


def registered_last_night(night: Night) -> None:
    """A device that the first night registered, as it comes back."""
    for name, drift in DRIFTS.items():
        device, tenant = _registered_by_hash(night)
        changed = drift(device, night.factory)
        night.second.intune(Truth(f"registered last night, {name}", _REGISTERED), tenant, capture(changed))
    device, tenant = _registered_by_hash(night)
    night.second.intune(Truth("registered last night, listed again", _REGISTERED), tenant, capture(device))
    device, tenant = _registered_by_hash(night)
    night.second.by_tuple(Truth("registered last night, now by tuple", _REGISTERED), tenant, device)
    night.second.by_tuple(Truth("neighbour of a device of last night"), tenant, neighbour(device))
    device, tenant = _registered_by_hash(night)
    now_by_id = Truth("registered last night, now by product ID", _REGISTERED)
    night.second.partner_center(now_by_id, tenant, product_id=device.product_id or "")
    device, tenant = _registered_by_hash(night)
    replaced = Truth("registered last night, new board", ("BOARD_REPLACED",))
    night.second.intune(replaced, tenant, capture(devices.with_board(device, night.factory)))
    device, tenant = _registered_by_hash(night)
    stranger = replace(night.factory.device(), product_id=device.product_id)
    night.second.intune(Truth("product ID of a device of last night"), tenant, capture(stranger))
    other = night.random.choice([one for one in night.tenants if one != tenant])
    claimed = Truth("registered last night elsewhere", ("REGISTERED_OTHER_TENANT",))
    night.second.intune(claimed, other, capture(devices.recaptured(device, night.factory)))


def _registered_by_hash(night: Night) -> tuple[Device, str]:
    device, tenant = night.factory.device(), night.tenant()
    night.intune(Truth("registered, and comes back"), tenant, capture(device))
    return device, tenant


def named_last_night(night: Night) -> None:
    """A device that the first night registered without a hash, and the hash that comes later."""
    device, tenant = night.factory.device(HP), night.tenant()
    night.by_tuple(Truth("registered by tuple, and comes back"), tenant, device)
    night.second.intune(Truth("hash of a device named last night", _REGISTERED), tenant, capture(device))
    device = night.factory.device(HP)
    product_id = device.product_id or ""
    night.partner_center(Truth("registered by product ID, and comes back"), tenant, product_id=product_id)
    night.second.intune(Truth("hash of a product ID of last night", _REGISTERED), tenant, capture(device))


def known_by_product_id(night: Night) -> None:
    """A registration by product ID alone, its device, and others with that product ID."""
    tenant, elsewhere = night.random.sample(night.tenants, 2)
    factory = night.factory
    device = factory.device(LENOVO)
    product_id = device.product_id or ""
    _register_product_id(night, device, tenant)
    met = Truth("first hash of a registration by product ID", _REGISTERED)
    night.intune(met, tenant, capture(device))
    waited = Truth("another customer's device, the product ID's own device known")
    stranger = replace(factory.device(), product_id=product_id)
    unsure = Truth("another customer's device with that product ID", ("REGISTERED_OTHER_TENANT",), later=waited)
    night.intune(unsure, elsewhere, capture(stranger))
    twin = replace(factory.device(LENOVO), product_id=product_id)
    night.second.intune(Truth("another device with a product ID whose device is known"), tenant, capture(twin))
    again = replace(devices.recaptured(device, factory), product_id=factory.product_id())
    night.second.intune(Truth("device learned last night, new product ID", _REGISTERED), tenant, capture(again))
    device = factory.device()
    _register_product_id(night, device, tenant)
    for one in (device, replace(factory.device(), product_id=device.product_id)):
        truth = Truth("one of two devices that a registration may be", ("AMBIGUOUS_MATCH",))
        night.intune(truth, tenant, capture(one))


def _register_product_id(night: Night, device: Device, tenant: str) -> None:
    night.register(replace(device, serial="", maker="", model=""), tenant, with_hash=False)


def learned_by_tuple(night: Night) -> None:
    """A registration by tuple alone learns the hash of its device, and knows it by all of it from then on."""
    device, tenant = night.factory.device(HP), night.tenant()
    night.register(replace(device, product_id=None), tenant, with_hash=False)
    night.intune(Truth("first hash of a registration by tuple", _REGISTERED), tenant, capture(device))
    known = Truth("product ID of a device learned last night", _REGISTERED)
    night.second.partner_center(known, tenant, product_id=device.product_id or "")
    device = night.factory.device(HP)
    night.register(replace(device, product_id=None), tenant, with_hash=False)
    night.intune(Truth("first hash of a registration by tuple", _REGISTERED), tenant, capture(device))
    replaced = Truth("device learned last night, new board", ("BOARD_REPLACED",))
    night.second.intune(replaced, tenant, capture(devices.with_board(device, night.factory)))


def waited(night: Night) -> None:
    """Rows that waited for the customer's consent, which comes with the second night."""
    no_consent, factory = ("AUTH_NO_RELATIONSHIP",), night.factory
    tenant = night.customer("consents later")
    if not night.second.granted:
        night.second.granted.append(("contoso", tenant, "active", GRANTED, ""))
    came = Truth("waited for consent, which came")
    night.intune(Truth("waits for consent", no_consent, later=came), tenant, capture(factory.device()))
    device = factory.device()
    older = Truth("waited for consent, captured again meanwhile", ("DUPLICATE_IN_BATCH",))
    night.intune(Truth("waits for consent", no_consent, later=older), tenant, capture(device))
    newer = Truth("captured again while it waited for consent")
    night.second.intune(newer, tenant, capture(devices.with_disk(device, factory)))
    device = factory.device()
    sold = Truth("waited for consent, registered elsewhere since", ("REGISTERED_OTHER_TENANT",))
    night.intune(Truth("waits for consent", no_consent, later=sold), tenant, capture(device))
    elsewhere = Truth("registered while another customer's row waits")
    night.intune(elsewhere, night.tenant(), capture(devices.recaptured(device, factory)))
    never = night.customer("never consents")
    night.intune(
        Truth("waits for consent in vain", no_consent, later=Truth("waits for consent in vain", no_consent)),
        never,
        capture(factory.device()),
    )

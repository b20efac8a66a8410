"""The decision tables of the domain, applied to every pair there is; the oracle of the matcher.

A record is a dict with the columns of COMPONENT_TYPES.
"""


def relation(left, right):
    if left is None or right is None:
        return "·"
    return "=" if left == right else "≠"


def overlap(left, right):
    if not left or not right:
        return "·"
    return "=" if set(left) & set(right) else "≠"


def serial_of(record):
    return (record["manufacturer"], record["serial_number"]) if record["serial_number"] else None


def verdict(left, right):  # noqa: C901, PLR0911 - the tables, line by line
    serial = relation(serial_of(left), serial_of(right))
    if not (left["has_hash"] and right["has_hash"]):
        product_id = relation(left["product_id"], right["product_id"])
        if product_id == "=":
            return "contradiction" if serial == "≠" else "same"
        if serial != "=":
            return "different"
        if product_id == "≠":
            return "probably the same"
        return "same" if relation(left["model"], right["model"]) == "=" else "probably the same"
    tpm = relation(left["tpm_ek_id"], right["tpm_ek_id"])
    uuid = relation(left["smbios_uuid"], right["smbios_uuid"])
    if tpm == "=":
        return "contradiction" if serial == "≠" else "same"
    if tpm == "≠":
        if serial == "=":
            return "board replaced"
        return "different, with the same UUID" if uuid == "=" else "different"
    if serial == "=":
        if uuid == "=":
            return "same"
        if uuid == "≠":
            return "board replaced"
        agrees = "=" in {
            overlap(left["mac_addresses"], right["mac_addresses"]),
            overlap(left["disk_serials"], right["disk_serials"]),
        }
        return "same" if agrees else "contradiction"
    return "contradiction" if uuid == "=" else "different"


def against(record, registrations):
    """Verdicts that point at registrations: pairs of device id and verdict."""
    pointing = {"same", "contradiction", "board replaced"}
    return {(other["device_id"], found) for other in registrations if (found := verdict(record, other)) in pointing}

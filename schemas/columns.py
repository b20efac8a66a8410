"""The columns of a manifest, and the names that they go by."""

import polars as pl

COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "serial_number": (
        "Device Serial Number",
        "Serial Number",
        "Serial",
        "S/N",
        "Device Serial",
        "Serial No",
        "Service Tag",
    ),
    "windows_product_id": (
        "Windows Product ID",
        "Product Key ID",
        "PKID",
        "Windows Product Key ID",
        "Product ID",
        "Product Key",
    ),
    "hardware_hash": (
        "Hardware Hash",
        "Device Hardware Data",
        "4K HH",
        "4K Hardware Hash",
        "Hardware Identifier",
        "Hash",
    ),
    "manufacturer": ("Manufacturer name", "Manufacturer", "OEM Manufacturer Name", "Vendor", "Make"),
    "model": ("Device model", "Model", "Model Name"),
    "group_tag": ("Group Tag", "Order ID"),
    "assigned_user": ("Assigned User", "UPN", "User Principal Name"),
    "tenant": ("Tenant ID", "Tenant", "Customer ID", "Customer Tenant ID"),
}
"""For each column of any manifest its names, the documented one first."""

DEPARTURE_COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "registration_id": ("Device ID", "Registration ID"),
    "departure_reason": ("Departure Reason", "Reason"),
}
"""The same of the columns that only a manifest of departures has."""

NOT_COMPARED = r"[\s\x{a0}_.*:-]"
"""Characters by which two names of one column may differ; case does not count either."""


def same_name(name: pl.Expr) -> pl.Expr:
    """A column's name as it is compared with others."""
    return name.str.to_lowercase().str.replace_all(NOT_COMPARED, "")

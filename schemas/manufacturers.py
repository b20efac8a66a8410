"""Manufacturers as their devices report them, and what people write instead, where the operator gives no other list."""

import polars as pl

ALIASES: dict[str, tuple[str, ...]] = {
    "HP": ("HP Inc.", "HP Inc", "Hp"),
    "Dell Inc.": ("Dell", "DELL", "Dell Inc"),
    "LENOVO": ("Lenovo", "Lenovo Group Limited"),
    "Microsoft Corporation": ("Microsoft", "Microsoft Corp", "Microsoft Corp."),
    "ASUSTeK COMPUTER INC.": ("ASUS", "Asus", "ASUSTeK"),
    "Acer": ("ACER", "acer", "Acer Inc."),
    "Dynabook Inc.": ("Dynabook", "dynabook"),
    "FUJITSU CLIENT COMPUTING LIMITED": ("Fujitsu",),
}
"""For each exact SMBIOS spelling the others."""

BUILT_IN_MAKERS = pl.Series(
    "spelling", sorted({name.lower() for exact, others in ALIASES.items() for name in (exact, *others)})
)
"""Every spelling, in lower case."""

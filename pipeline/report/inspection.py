"""What a hardware hash holds, as it may be shown to somebody who looks over a shoulder."""

from typing import Any

from pipeline.decode.describe import describe
from pipeline.decode.layout import Record
from pipeline.errors import UsageError
from pipeline.report.masking import masked_text

_SHOWN_IDENTITY = ("hash_serial_number", "hash_manufacturer", "hash_model", "captured_at")
"""The label on the case says as much."""

_SECRET_RECORDS = (
    Record.SMBIOS_UUID,
    Record.PRODUCT_KEY_ID,
    Record.PRODUCT_KEY_PART,
    Record.TPM_KEY,
    Record.COMPONENT_IDS,
)
_SECRET_PARTS = ("id", "mac", "serial")
"""Parts of a record that identify what they belong to."""


def inspect(hash_: str, *, unmask: bool = False) -> dict[str, Any]:
    """What a hardware hash, given alone, holds; identities in part, unless asked for whole.

    Returns:
        What `pipeline.decode.describe` tells: `fault`, and where the hash is verified `identity` and `records`.

    Raises:
        UsageError: it is no text.
    """
    for name, value, kind in (("hash", hash_, str), ("unmask", unmask, bool)):
        if not isinstance(value, kind):
            message = f"{name} of type {type(value).__name__}: expected {kind.__name__}"
            raise UsageError(message)
    described = describe(hash_)
    return described if unmask else masked(described)


def masked(described: dict[str, Any]) -> dict[str, Any]:
    """A description (`pipeline.decode.describe`) of which identities are shown only in part."""
    if "records" not in described:
        return described
    identity = {
        name: value if name in _SHOWN_IDENTITY else _masked(value) for name, value in described["identity"].items()
    }
    records = [{**record, "value": _masked_record(record["type"], record["value"])} for record in described["records"]]
    return {**described, "identity": identity, "records": records}


def _masked_record(kind: int, value: Any) -> Any:  # noqa: ANN401 - whatever a record holds
    if kind in _SECRET_RECORDS:
        return _masked(value)
    if isinstance(value, dict):
        return {name: _masked(part) if name in _SECRET_PARTS else part for name, part in value.items()}
    return value


def _masked(value: Any) -> Any:  # noqa: ANN401 - a text, a list of texts, or None
    if isinstance(value, list):
        return [_masked(part) for part in value]
    return masked_text(value) if isinstance(value, str) else value

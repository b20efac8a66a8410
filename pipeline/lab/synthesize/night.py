"""A whole night: reference data, existing records, manifests of several partners, and what must become of each row."""

import csv
import random
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Device, Factory
from pipeline.lab.synthesize.forms import encoded
from schemas.reasons import CATALOGUE
from schemas.registry import DEREGISTERED, IMPORT_COLUMNS

INTUNE = ("Device Serial Number", "Windows Product ID", "Hardware Hash", "Group Tag", "Assigned User")
PARTNER_CENTER = ("Device Serial Number", "Windows Product ID", "Hardware Hash", "Manufacturer name", "Device model")
DEPARTURES = (*PARTNER_CENTER, "Departure Reason")

_ROWS_A_FILE = 450
"""Under Microsoft's limit of 500."""

AS_OF = "2026-01-15T02:00:00Z"
"""The moment that a night is made for."""

SECOND = "second"
"""Folder of the second night, and its moment below."""
SECOND_AS_OF = "2026-01-16T02:00:00Z"

GRANTED = "2024-01-01T00:00:00Z"

Statement = tuple[str, str, str, str]
"""What a customer says of a partner: the partner, a status, since when, and until when."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What must become of a row: a set, any of some primary reasons, any of some warnings, and why it is there.

    `later` is what must become of it in the second night, of a row that waited for what has come by then; `ends` is the
    serial number of the registration that a departure must end.
    """

    scenario: str
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    wanted: str = "registered"
    later: "Truth | None" = None
    ends: str = ""


@dataclass(slots=True)
class _Sheet:
    header: tuple[str, ...]
    rows: list[tuple[tuple[str, ...] | bytes, Truth]] = field(default_factory=list)


class Night:
    """Collects the rows of a night and writes it to a folder.

    Attributes:
        random: the seeded source of everything.
        factory: makes devices.
        story: what is being told; rows of one story, partner, tenant and layout share files.
        tenants: customers of the night, all authorized for `contoso` and `northwind`.
        granted: what customers have stated since the night before.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self.factory = Factory(self.random)
        self.tenants = [self._guid() for _ in range(4)]
        self.partners = list(_PARTNERS)
        self.authorizations: list[tuple[str, ...]] = [
            (partner, tenant, "active", GRANTED, "")
            for partner in ("contoso", "northwind", "adatum", "tailspin")
            for tenant in self.tenants
        ]
        self.tenant_rows = [(tenant, "EU", "public", "contoso.example") for tenant in self.tenants]
        self.exclusions: list[tuple[str, str, str, str]] = []
        self.existing: list[tuple[str, ...]] = []
        self.granted: list[tuple[str, ...]] = []
        self.story = ""
        self._second: Night | None = None
        self._customers: dict[str, str] = {}
        self._sheets: dict[tuple[str, str, str, tuple[str, ...]], _Sheet] = {}
        self._raw: dict[str, tuple[bytes, list[tuple[int, Truth]]]] = {}

    @property
    def second(self) -> "Night":
        """The night after, of the same customers and devices: what it is told is delivered, and stated, then."""
        if self._second is None:
            after = self._second = copy(self)
            after.story, after.granted = f"{SECOND}-night", []
            after._sheets, after._raw = {}, {}  # noqa: SLF001 - its own
        return self._second

    def tenant(self) -> str:
        """One of the customers."""
        return self.random.choice(self.tenants)

    def customer(self, name: str, *statements: Statement, region: str = "EU", cloud: str = "public") -> str:
        """A customer of its own for a part of a story, with what it stated of partners; made when first named."""
        if name not in self._customers:
            tenant = self._customers[name] = self._guid()
            self.tenant_rows.append((tenant, region, cloud, ""))
            self.authorizations += [(partner, tenant, *rest) for partner, *rest in statements]
        return self._customers[name]

    def register(self, device: Device, tenant: str, via: str = "partner_center", *, with_hash: bool = True) -> None:
        """Let a device be registered before the night."""
        self.existing.append(
            (
                tenant,
                "contoso",
                via,
                device.serial,
                device.maker,
                device.model,
                device.product_id or "",
                capture(device) if with_hash else "",
                "",
                "2025-06-01T00:00:00Z",
            )
        )

    def intune(  # noqa: PLR0913 - the columns of the layout, mostly left alone
        self,
        truth: Truth,
        tenant: str,
        hardware_hash: str,
        *,
        serial: str = "",
        product_id: str = "",
        group_tag: str = "",
        user: str = "",
        partner: str = "contoso",
    ) -> None:
        """Deliver a row in the layout of Intune."""
        self._add(partner, tenant, INTUNE, (serial, product_id, hardware_hash, group_tag, user), truth)

    def partner_center(  # noqa: PLR0913 - the columns of the layout, mostly left alone
        self,
        truth: Truth,
        tenant: str,
        *,
        serial: str = "",
        product_id: str = "",
        hardware_hash: str = "",
        maker: str = "",
        model: str = "",
        partner: str = "contoso",
    ) -> None:
        """Deliver a row in the layout of Partner Center."""
        self._add(partner, tenant, PARTNER_CENTER, (serial, product_id, hardware_hash, maker, model), truth)

    def by_tuple(self, truth: Truth, tenant: str, device: Device, partner: str = "contoso") -> None:
        """Deliver a device by serial number, manufacturer and model."""
        self.partner_center(
            truth, tenant, serial=device.serial, maker=device.maker, model=device.model, partner=partner
        )

    def leave(  # noqa: PLR0913 - the columns of the layout, mostly left alone
        self,
        scenario: str,
        tenant: str,
        outcome: Device | str,
        *,
        serial: str = "",
        product_id: str = "",
        hardware_hash: str = "",
        maker: str = "",
        model: str = "",
        why: str = "returned",
        partner: str = "contoso",
        later: Truth | None = None,
    ) -> None:
        """Deliver a row that asks for a departure: of the registered device that it must end, or the reason why not."""
        cells = (serial, product_id, hardware_hash, maker, model, why)
        if isinstance(outcome, str):
            truth = Truth(scenario, (outcome,), later=later)
        else:
            truth = Truth(scenario, wanted=DEREGISTERED, ends=outcome.serial)
        self._add(partner, tenant, DEPARTURES, cells, truth)

    def line(self, truth: Truth, tenant: str, text: bytes, partner: str = "contoso") -> None:
        """Deliver a line of bytes below a header of Intune."""
        self._sheet(partner, tenant, INTUNE).rows.append((text, truth))

    def file(self, path: str, content: bytes, lines: list[tuple[int, Truth]]) -> None:
        """Deliver a file as it is, and say what must become of its lines."""
        self._raw[path] = content, lines

    @property
    def rows(self) -> int:
        """Rows so far, of both nights."""
        in_sheets = sum(len(sheet.rows) for sheet in self._sheets.values())
        later = self._second.rows if self._second else 0
        return in_sheets + sum(len(lines) for _, lines in self._raw.values()) + later

    def truths(self) -> list[Truth]:
        """What must become of the rows so far, in both nights."""
        told = [truth for sheet in self._sheets.values() for _, truth in sheet.rows]
        told += [truth for _, lines in self._raw.values() for _, truth in lines]
        told += [truth.later for truth in told if truth.later]
        return told + (self._second.truths() if self._second else [])

    def write(self, folder: Path) -> int:
        """Write `inbox/`, `reference/`, `existing_devices.csv` and `truth.csv`.

        Where a story goes on, the second night's `inbox/`, `reference/` and `truth.csv` lie in `second/`.

        Returns:
            Number of rows of the manifests, of both nights.
        """
        _write_csv(folder / "existing_devices.csv", IMPORT_COLUMNS, self.existing)
        truths = self._deliver(folder)
        _write_truths(folder / "truth.csv", truths)
        if self._second is None:
            return len(truths)
        new = self._second._deliver(folder / SECOND)  # noqa: SLF001 - its own
        waited = [(path, line, truth.later) for path, line, truth in truths if truth.later]
        _write_truths(folder / SECOND / "truth.csv", waited + new)
        return len(truths) + len(new)

    def _deliver(self, folder: Path) -> list[tuple[str, int, Truth]]:
        """Write manifests and reference data, and tell what must become of each row."""
        truths: list[tuple[str, int, Truth]] = []
        for number, (path, sheet_rows, header) in enumerate(self._files()):
            name, content = encoded(path, header, [cells for cells, _ in sheet_rows], number)
            _write_bytes(folder / "inbox" / name, content)
            truths += [(name, at, truth) for at, (_, truth) in enumerate(sheet_rows, start=2)]
        for path, (content, lines) in self._raw.items():
            _write_bytes(folder / "inbox" / path, content)
            truths += [(path, line, truth) for line, truth in lines]
        _write_csv(folder / "reference" / "partners.csv", _PARTNER_COLUMNS, self.partners)
        _write_csv(
            folder / "reference" / "authorizations.csv", _AUTHORIZATION_COLUMNS, self.authorizations + self.granted
        )
        _write_csv(folder / "reference" / "tenants.csv", _TENANT_COLUMNS, self.tenant_rows)
        _write_csv(folder / "reference" / "exclusions.csv", _EXCLUSION_COLUMNS, self.exclusions)
        return truths

    def _files(self) -> list[tuple[str, list[tuple[tuple[str, ...] | bytes, Truth]], tuple[str, ...]]]:
        files = []
        for (partner, tenant, story, header), sheet in self._sheets.items():
            layout = {INTUNE: "intune", DEPARTURES: "out"}.get(header, "partner-center")
            folder = f"{tenant}/departures" if header is DEPARTURES else tenant
            for part, at in enumerate(range(0, len(sheet.rows), _ROWS_A_FILE), start=1):
                path = f"{partner}/{folder}/{story}-{layout}-{part:03}"
                files.append((path, sheet.rows[at : at + _ROWS_A_FILE], header))
        return files

    def _sheet(self, partner: str, tenant: str, header: tuple[str, ...]) -> _Sheet:
        return self._sheets.setdefault((partner, tenant, self.story, header), _Sheet(header))

    def _add(self, partner: str, tenant: str, header: tuple[str, ...], cells: tuple[str, ...], truth: Truth) -> None:
        self._sheet(partner, tenant, header).rows.append((cells, truth))

    def _guid(self) -> str:
        raw = self.random.randbytes(16).hex()
        return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:]}"


_PARTNER_COLUMNS = ("partner_id", "name", "partner_type", "channel", "region", "provider_id")
_PARTNERS = (
    ("contoso", "Contoso Devices", "direct_csp", "partner_center_csv", "EU", ""),
    ("fabrikam", "Fabrikam Distribution", "indirect_provider", "partner_center_api", "EU", ""),
    ("northwind", "Northwind Resale", "indirect_reseller", "partner_center_csv", "EU", "fabrikam"),
    ("tailspin", "Tailspin Resale", "indirect_reseller", "partner_center_api", "EU", "fabrikam"),
    ("adatum", "Adatum Computers", "oem", "oem_direct_api", "EU", ""),
)
_AUTHORIZATION_COLUMNS = ("partner_id", "tenant_id", "status", "granted_at", "revoked_at")
_TENANT_COLUMNS = ("tenant_id", "region", "cloud", "verified_domains")
_EXCLUSION_COLUMNS = ("tenant_id", "serial_number", "manufacturer", "reason")
_TRUTH_COLUMNS = ("source_file", "source_line", "scenario", "want", "reasons", "outcome", "warnings", "ends")


def _write_truths(path: Path, truths: list[tuple[str, int, Truth]]) -> None:
    _write_csv(path, _TRUTH_COLUMNS, [_truth_row(*truth) for truth in truths])


def _truth_row(file: str, line: int, truth: Truth) -> tuple[str, ...]:
    outcome = CATALOGUE[truth.reasons[0]].outcome if truth.reasons else None
    want = "rejected" if truth.reasons else truth.wanted
    codes, warnings = "|".join(truth.reasons), "|".join(truth.warnings)
    return file, str(line), truth.scenario, want, codes, outcome or "", warnings, truth.ends


def _write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_csv(path: Path, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)

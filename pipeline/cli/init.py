"""`init`: a working folder to begin with."""

from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.printing import tell
from pipeline.errors import UsageError

_FILES = {
    "intake.toml": """\
# Settings of autopilot-intake, named as the options of its commands. Flags win over the environment
# (AUTOPILOT_INTAKE_...), the environment over this file. To set one, take the mark before it away.

# reference = "reference"          # partners, authorizations, tenants, exclusions
# registry = "registry"            # existing device records
# output = "runs"                  # where runs are published
# max-reject-rate = 0.2            # exit 1 when a larger share of the rows was rejected
# group-tag-limit = 128            # most characters of a group tag
# workers = 2                      # processes that read manifests
# file-limit = 8589934592          # most bytes of text of one manifest
# row-limit = 5000000              # most lines of one manifest
""",
    "reference/partners.csv": "partner_id,name,partner_type,channel,region,provider_id\n",
    "reference/authorizations.csv": "partner_id,tenant_id,status,granted_at,revoked_at\n",
    "reference/README.md": """\
# Reference data

- `partners.csv`: `partner_type` is `oem`, `direct_csp`, `indirect_provider` or `indirect_reseller`; `channel` is
  `partner_center_csv`, `partner_center_api` or `oem_direct_api`; `provider_id` names an indirect reseller's provider.
  For example `contoso,Contoso Devices,direct_csp,partner_center_csv,EU,`.
- `authorizations.csv`: `status` is `active` (needs `granted_at`), `pending` or `removed`; timestamps as
  `2026-01-01T00:00:00Z`. For example `contoso,8f2c6a1e-5b1d-4c3e-9a70-2d4e6f801357,active,2026-01-01T00:00:00Z,`.
- Optional: `tenants.csv` (`tenant_id,region,cloud,verified_domains`), `exclusions.csv`
  (`tenant_id,serial_number,manufacturer,reason`), `profiles.csv` (`tenant_id,group_tag,profile`), `manufacturers.csv`
  (`manufacturer,alias`).
""",
    "README.md": """\
# Working folder

- `inbox/`: partners deliver to `<partner_id>/<tenant_id>/<any name>.csv`, `.csv.gz`, `.csv.zst` or `.xlsx`. Put nothing
  else there: every file is told of.
- `reference/`: who they are, and for whom they may act; its own README says more.
- `registry/` and `runs/` are made by the first run.
""",
}


@click.command()
@click.argument("folder", type=options.FOLDER)
@options.config
def init(folder: Path) -> None:
    """Make a working FOLDER: inbox/, reference/ with empty tables, and intake.toml with every setting explained."""
    if folder.exists() and any(folder.iterdir()):
        message = f"folder {folder}: not empty; name a new one"
        raise UsageError(message)
    (folder / "inbox").mkdir(parents=True, exist_ok=True)
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        tell(str(path))
    tell(f"next: fill {folder / 'reference'}, then `cd {folder} && autopilot-intake run`")

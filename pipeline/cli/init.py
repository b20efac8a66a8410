"""`init`: a working folder to begin with."""

from pathlib import Path
from textwrap import wrap

import click

from pipeline.cli import options
from pipeline.cli.printing import tell
from pipeline.errors import UsageError
from pipeline.settings import COMMANDS, Scope, Setting, settings_of

_HEAD = """\
# Settings of autopilot-intake, named as the options of its commands. Flags win over the environment
# (AUTOPILOT_INTAKE_...), the environment over this file. To set one, take the mark before it away.
# A setting here at the top is for every command that knows it; below, for the command of its table alone.

inbox = "inbox"
# ^ where partners deliver; `run` may then be called without arguments
"""

_FILES = {
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
    for name, text in {"intake.toml": explained(), **_FILES}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        tell(str(path))
    tell(f"next: fill {folder / 'reference'}, then `cd {folder} && autopilot-intake run`")


def explained() -> str:
    """The file of settings, all of them with what they do; only where partners deliver is set."""
    lines = [_HEAD]
    of_run = settings_of("run")
    for setting in of_run:
        lines += _lines(setting)
    for command in COMMANDS:
        own = [setting for setting in settings_of(command) if setting not in of_run and _is_own(setting)]
        if own and command != "run":
            lines += ["", f'# ["{command}"]' if " " in command else f"# [{command}]", ""]
            lines += [line for setting in own for line in _lines(setting)]
    return "\n".join(lines)


def _lines(setting: Setting) -> list[str]:
    usual = f" [{setting.usual}]" if setting.default is None and setting.usual else ""
    told = wrap(f"{setting.meaning}{usual}", 110, initial_indent="# ", subsequent_indent="#   ")
    return [*told, f"# {setting.name} = {setting.written}", ""]


def _is_own(setting: Setting) -> bool:
    """Whether a file may say it, and it is none that a command takes as `run` does but for what is usual."""
    return setting.scope is not Scope.FLAG and setting.name not in {"reference", "registry", "output", "format"}

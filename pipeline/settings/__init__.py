"""Everything that a command can be told: one table, from which options, files, environment and their tables follow.

`pipeline.cli.options` makes the command line's options, `intake.toml` and environment variables of it, `init` the file
that it writes, `config show` what it lists, the reference its table; `pipeline.config` refuses what is of another type.
"""

from pipeline.settings.of_engine import HERE, SPARK, require_engine
from pipeline.settings.setting import ENVIRONMENT, Kind, Scope, Setting, meant, parse_size, said
from pipeline.settings.table import (
    COMMANDS,
    DEPARTURE_LIMIT,
    FILE_LIMIT,
    GROUP_TAG_LIMIT,
    INBOX,
    NAMES,
    ROW_LIMIT,
    SETTINGS,
    WAIT_DAYS,
    settings_of,
)

__all__ = [
    "COMMANDS",
    "DEPARTURE_LIMIT",
    "ENVIRONMENT",
    "FILE_LIMIT",
    "GROUP_TAG_LIMIT",
    "HERE",
    "INBOX",
    "NAMES",
    "ROW_LIMIT",
    "SETTINGS",
    "SPARK",
    "WAIT_DAYS",
    "Kind",
    "Scope",
    "Setting",
    "meant",
    "parse_size",
    "require_engine",
    "said",
    "settings_of",
]

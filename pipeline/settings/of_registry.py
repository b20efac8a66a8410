"""The settings that only commands of the registry have."""

from pipeline.settings.setting import Kind, Scope, Setting

RECORDS = tuple(
    f"registry {name}"
    for name in ("import", "remove", "stats", "compact", "vacuum", "verify", "find", "history", "export")
)
OTHER_RECORDS = ("registry list", "registry steps", "registry steps done")
"""Commands of the registry, those that tell in text or JSON first."""

_CHOSEN = ("registry list", "registry export")
_FILTERS = (
    ("tenant", "only devices of this tenant"),
    ("partner", "only devices that this partner registered"),
    ("serial-number", "only devices with this serial number"),
    ("manufacturer", "only devices of this manufacturer"),
    ("model", "only devices of this model"),
    ("group-tag", "only devices with this group tag; '' for those without one"),
    ("profile", "only devices that get this deployment profile"),
)

OF_REGISTRY = (
    Setting(
        "reference",
        Kind.LOCATION,
        ("registry import",),
        "folder whose manufacturers.csv says how manufacturers are spelled",
        otherwise="what is built in",
        example='"reference"',
    ),
    Setting(
        "reason",
        Kind.TEXT,
        ("registry remove",),
        "why the registration is removed; kept in the history",
        is_required=True,
        example='"returned"',
    ),
    Setting(
        "restore",
        Kind.FLAG,
        ("registry import",),
        "removed registrations that stand in the file are live again",
        default=False,
    ),
    Setting(
        "older-than",
        Kind.COUNT,
        ("registry vacuum",),
        "leave what was needed within so many hours: longer than any run takes",
        default=24,
        shape="HOURS",
        scope=Scope.COMMAND,
    ),
    Setting(
        "ids",
        Kind.FILE,
        ("registry remove",),
        "CSV file whose column device_id names more of them",
        scope=Scope.FLAG,
    ),
    Setting(
        "tenant",
        Kind.TEXT,
        ("registry remove",),
        "remove nothing unless all of them are this tenant's",
        shape="ID",
        scope=Scope.FLAG,
    ),
    Setting(
        "layout",
        Kind.CHOICE,
        ("registry export",),
        "the portal that the files are for",
        choices=("intune", "partner_center"),
        is_required=True,
        example='"intune"',
    ),
    *(Setting(name, Kind.TEXT, _CHOSEN, meaning, scope=Scope.FLAG) for name, meaning in _FILTERS),
    Setting("since", Kind.MOMENT, _CHOSEN, "only devices registered then or later, RFC 3339", scope=Scope.FLAG),
    Setting(
        "sort",
        Kind.CHOICE,
        ("registry list",),
        "what the devices are sorted by",
        default="serial-number",
        choices=("serial-number", "manufacturer", "model", "group-tag", "profile", "tenant", "partner", "registered"),
    ),
    Setting("descending", Kind.FLAG, ("registry list",), "sort the other way round", default=False),
    Setting(
        "format",
        Kind.CHOICE,
        ("registry list",),
        "what is written; json is one object a line",
        default="text",
        choices=("text", "json", "csv", "parquet"),
        python="form",
    ),
    Setting(
        "to",
        Kind.FILE,
        ("registry list",),
        "new file for csv or parquet",
        otherwise="csv: standard output",
        scope=Scope.FLAG,
    ),
    Setting(
        "reference",
        Kind.LOCATION,
        _CHOSEN,
        "folder whose profiles.csv says which profile a device gets",
        otherwise="reference/ beside the registry, if present",
        example='"reference"',
    ),
    Setting("tenant", Kind.TEXT, ("registry steps",), "only devices of this tenant", shape="ID", scope=Scope.FLAG),
    Setting(
        "by",
        Kind.TEXT,
        ("registry steps done",),
        "who says that it is done; kept in the registry",
        is_required=True,
        scope=Scope.FLAG,
    ),
    Setting(
        "format",
        Kind.CHOICE,
        ("registry steps",),
        "what goes to standard output",
        default="text",
        choices=("text", "json", "csv"),
        python="form",
    ),
)

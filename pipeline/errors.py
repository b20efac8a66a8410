"""What can go wrong with a command, as opposed to a row.

    IntakeError
    ├── UsageError             exit 2: arguments or configuration
    │   ├── ReferenceDataError exit 2: partners, authorizations, tenants, exclusions, profiles, manufacturers
    │   └── NoRegistryError    exit 2: there is none, and none shall be made
    └── Fault                  exit 3: store, disk, another run; nothing of this run was published
        ├── RegistryError      the registry is missing, damaged, or no registry
        └── RegistryConflict   another run committed first

Bad rows and bad files are no errors: they are findings.
"""


class IntakeError(Exception):
    """Base of all errors that a caller may expect; its message ends with what to do next."""

    exit_code = 3


class UsageError(IntakeError):
    """Wrong arguments or configuration."""

    exit_code = 2


class ReferenceDataError(UsageError):
    """Reference data that cannot be relied on, named by file, line and column."""


class NoRegistryError(UsageError):
    """There is no registry, and none shall be made."""


class Fault(IntakeError):  # noqa: N818 - a fault is what the contract calls it
    """The environment failed; nothing of this run was published."""


class RegistryError(Fault):
    """The registry is missing, damaged, or no registry."""


class RegistryConflict(Fault):
    """Another writer committed to the registry since it was opened."""


def is_panic(error: BaseException) -> bool:
    """Whether a library gave up on what it did not expect; such an exception is no Exception and cannot be imported."""
    return type(error).__name__ == "PanicException"

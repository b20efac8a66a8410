"""The one catalogue of reasons and warnings.

`explain`, the report, the output schemas and the table in the reference are all made from it. The order is the
contract's order: the primary reason of a row is its first finding here. Codes are never renamed or reused.
"""

from dataclasses import dataclass
from enum import StrEnum


class Owner(StrEnum):
    """Who must act on a finding."""

    PARTNER = "partner"
    CUSTOMER = "customer"
    OPERATOR = "operator"


class Outcome(StrEnum):
    """What becomes of a rejected row."""

    INVALID = "invalid"
    UNAUTHORIZED = "unauthorized"
    EXCLUDED = "excluded"
    DUPLICATE = "duplicate"
    REVIEW = "review"
    STRUCTURE = "structure"
    NOT_REGISTERED = "not_registered"


class Waits(StrEnum):
    """What could mend a finding, so that its row is decided again: all but a new delivery do so while the row waits."""

    REFERENCE = "reference"
    SETTINGS = "settings"
    REGISTRY = "registry"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding that a row can have.

    Attributes:
        code: stable name, upper snake case.
        family: the group of the contract that it belongs to.
        sentence: what is wrong, in words that a partner understands.
        remedy: what to do next.
        owner: who must do it.
        outcome: what becomes of the row; None for a warning, with which the row is registered all the same.
        microsoft: the error that the deployment service would have given; empty where there is none.
        field: the column that it is about; `*` for whichever has it, empty for the whole line or file.
        expected: what would have been right there.
        waits_for: what could mend it; the row is final where that is a new delivery.
    """

    code: str
    family: str
    sentence: str
    remedy: str
    owner: Owner
    outcome: Outcome | None
    microsoft: str = ""
    field: str = ""
    expected: str = ""
    waits_for: Waits = Waits.DELIVERY


_P, _C, _O = Owner.PARTNER, Owner.CUSTOMER, Owner.OPERATOR
_INVALID, _UNAUTHORIZED, _EXCLUDED, _DUPLICATE, _REVIEW, _STRUCTURE, _NOT_REGISTERED = Outcome
_BAD_HASH = "802 InvalidZtdHardwareHash"
_CAPTURE_AGAIN = "Capture the hash again on the device and send the file unopened."

REASONS: tuple[Reason, ...] = (
    Reason(
        "FILE_TYPE_UNKNOWN",
        "file",
        "The file is none of the kinds that are read: .csv, .csv.gz, .csv.zst, .xlsx.",
        "Send the devices as one of these; unpack an archive first. Take away what is no delivery.",
        _P,
        _INVALID,
        expected="a file that ends in .csv, .csv.gz, .csv.zst or .xlsx",
    ),
    Reason(
        "FILE_UNREADABLE",
        "file",
        "The file could not be read to its end, or its name or place is not one that is read.",
        "Send the file itself again, no link, under a plain name of its own; if it is compressed, compress it anew; "
        "if it is a workbook, save it as .xlsx without a password.",
        _P,
        _INVALID,
        expected="a file that can be read to its end",
    ),
    Reason(
        "FILE_PARTNER_UNKNOWN",
        "file",
        "The file was not delivered in the folder of a known partner.",
        "Deliver it under <partner_id>/, or add the partner to partners.csv.",
        _O,
        _INVALID,
        expected="a folder named as a partner of partners.csv",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "FILE_TOO_LARGE",
        "file",
        "The file has more text, lines, columns or different headers than are read of one file.",
        "Send the rows in several files, without columns of your own.",
        _P,
        _INVALID,
        expected="a file within the limits of text, lines, columns and headers",
    ),
    Reason(
        "FILE_HEADER_UNKNOWN",
        "file",
        "No header was found that names a hardware hash, a product ID, or serial, manufacturer and model; or the line "
        "stands before the header and may be a row.",
        "Begin the file with one of the documented header lines, and put no row before it.",
        _P,
        _INVALID,
        expected="Device Serial Number,Windows Product ID,Hardware Hash; or the same and Group Tag,Assigned User; or "
        "the same and Manufacturer name,Device model",
    ),
    Reason(
        "COLUMN_UNCLEAR",
        "file",
        "A column whose name is not known may hold what identifies devices or customers.",
        "Give the column one of the documented names, or leave it out.",
        _P,
        _INVALID,
        expected="documented names of columns",
    ),
    Reason(
        "RECORD_TOO_LARGE",
        "record",
        "The line is longer than 1 MiB.",
        "Look for a missing line end and send the rows again.",
        _P,
        _INVALID,
        expected="a line of at most 1 MiB",
    ),
    Reason(
        "RECORD_NOT_TEXT",
        "record",
        "The line holds bytes that are no text in the file's encoding, or a NUL.",
        "Save the file as plain CSV and send it again.",
        _P,
        _INVALID,
        expected="text in the file's encoding",
    ),
    Reason(
        "RECORD_BEFORE_HEADER",
        "record",
        "The line stands before the header and is no row.",
        "Nothing is lost: the file was read from its header on. Leave titles out to avoid it.",
        _P,
        _STRUCTURE,
        expected="the header first",
    ),
    Reason(
        "RECORD_REPEATED_HEADER",
        "record",
        "The header stands again in the middle of the file.",
        "Nothing is lost: the rows after it were read by it. Send files one by one to avoid it.",
        _P,
        _STRUCTURE,
        expected="a row",
    ),
    Reason(
        "RECORD_FIELD_COUNT",
        "record",
        "The line has another number of fields than the header.",
        "Give each value a column of its own, without quotation marks, delimiters or line breaks inside it.",
        _P,
        _INVALID,
        expected="as many fields as the header has, quotation marks in pairs",
    ),
    Reason(
        "TENANT_MISSING",
        "tenant",
        "No customer tenant is named for this row.",
        "Fill the Tenant ID column, or deliver the file under <partner_id>/<tenant_id>/.",
        _P,
        _INVALID,
        "801 InvalidZtdRequestBody",
        field="tenant_id",
        expected="the customer's tenant ID",
    ),
    Reason(
        "TENANT_FORMAT",
        "tenant",
        "The tenant is not a GUID.",
        "Use the customer's tenant ID: 32 hexadecimal digits as 8-4-4-4-12.",
        _P,
        _INVALID,
        "801 InvalidZtdRequestBody",
        field="tenant_id",
        expected="32 hexadecimal digits as 8-4-4-4-12",
    ),
    Reason(
        "AUTH_NO_RELATIONSHIP",
        "authorization",
        "The customer has not authorized this partner to register devices.",
        "Ask the customer's Global Administrator to accept the relationship or consent request.",
        _C,
        _UNAUTHORIZED,
        field="tenant_id",
        expected="a customer that has authorized this partner",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "AUTH_PENDING",
        "authorization",
        "The customer has not accepted this partner's request yet.",
        "Ask the customer's Global Administrator to accept the open request; the row waits for it.",
        _C,
        _UNAUTHORIZED,
        field="tenant_id",
        expected="a customer that has authorized this partner",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "AUTH_REMOVED",
        "authorization",
        "The customer's authorization of this partner has ended.",
        "Ask the customer for a new relationship or consent.",
        _C,
        _UNAUTHORIZED,
        field="tenant_id",
        expected="a customer that authorizes this partner still",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "AUTH_NOT_YET_VALID",
        "authorization",
        "The customer's authorization of this partner begins later.",
        "Nothing to send: the row waits, and is decided again once the authorization has begun.",
        _P,
        _UNAUTHORIZED,
        field="tenant_id",
        expected="a customer that authorizes this partner already",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "AUTH_CHANNEL",
        "authorization",
        "A partner of this type may not register devices through this channel.",
        "Correct the partner's type or channel in partners.csv.",
        _O,
        _UNAUTHORIZED,
        field="tenant_id",
        expected="a channel that this type of partner may use",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "AUTH_REGION",
        "authorization",
        "The customer is not known to be in this partner's region.",
        "Check the tenant's region in tenants.csv; a partner serves only tenants of its own CSP region.",
        _O,
        _UNAUTHORIZED,
        field="tenant_id",
        expected="a customer in the partner's region",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "AUTH_CLOUD",
        "authorization",
        "The customer's tenant is in a sovereign cloud, where registration by partners is not supported.",
        "Ask the customer to register the devices there.",
        _C,
        _UNAUTHORIZED,
        field="tenant_id",
        expected="a customer in the public cloud",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "PRODUCT_KEY_EXPOSED",
        "secrets",
        "The row holds a Windows product key, which is a secret.",
        "Remove the key from the file and treat it as disclosed.",
        _P,
        _INVALID,
        expected="no product key in any column",
    ),
    Reason(
        "IDENTITY_NOT_ALLOWED",
        "identity",
        "This partner's channel does not take a hardware hash.",
        "Send the product ID, or serial number, manufacturer and model.",
        _P,
        _INVALID,
        field="hardware_hash",
        expected="nothing; this channel takes product IDs and tuples",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "IDENTITY_MISSING",
        "identity",
        "The row names no device.",
        "Give the hardware hash, the 13-digit product ID, or serial number, manufacturer and model.",
        _P,
        _INVALID,
        "803 MissingZtdSerialNumberAndProductKey",
        expected="a hardware hash, a product ID, or serial number, manufacturer and model",
    ),
    Reason(
        "IDENTITY_PARTIAL_TUPLE",
        "identity",
        "Serial number, manufacturer and model identify a device only together.",
        "Fill all three, or give the hardware hash or the product ID.",
        _P,
        _INVALID,
        "803 MissingZtdSerialNumberAndProductKey",
        field="serial_number",
        expected="serial number, manufacturer and model together",
    ),
    Reason(
        "HASH_NOT_BASE64",
        "hash",
        "The hardware hash holds a character that base64 does not have.",
        _CAPTURE_AGAIN,
        _P,
        _INVALID,
        "400 Edm.Binary",
        field="hardware_hash",
        expected="letters of base64 only",
    ),
    Reason(
        "HASH_BAD_HEADER",
        "hash",
        "The value is not a hardware hash: it does not begin as one.",
        _CAPTURE_AGAIN,
        _P,
        _INVALID,
        _BAD_HASH,
        field="hardware_hash",
        expected="a value that begins with T0",
    ),
    Reason(
        "HASH_TRUNCATED",
        "hash",
        "The hardware hash is cut off.",
        "Send the whole value: spreadsheets and forms cut it. " + _CAPTURE_AGAIN,
        _P,
        _INVALID,
        "HashNot4k",
        field="hardware_hash",
        expected="as many bytes as its own header says, usually 3,000",
    ),
    Reason(
        "HASH_CHECKSUM",
        "hash",
        "The hardware hash was changed after it was captured: its checksum does not fit.",
        _CAPTURE_AGAIN,
        _P,
        _INVALID,
        _BAD_HASH,
        field="hardware_hash",
        expected="a value whose SHA-256 fits",
    ),
    Reason(
        "HASH_MALFORMED",
        "hash",
        "The hardware hash is damaged inside, or something was added to it.",
        _CAPTURE_AGAIN,
        _P,
        _INVALID,
        _BAD_HASH,
        field="hardware_hash",
        expected="whole records and nothing behind the digest",
    ),
    Reason(
        "HASH_FIELD_MISSING",
        "hash",
        "The hardware hash holds no serial number or no manufacturer.",
        "Have the firmware's serial number and manufacturer written, then capture the hash again.",
        _P,
        _INVALID,
        _BAD_HASH,
        field="hardware_hash",
        expected="a serial number and a manufacturer inside",
    ),
    Reason(
        "HASH_INCONSISTENT",
        "hash",
        "The parts of the hardware hash contradict each other: its device ID is not that of its TPM key.",
        _CAPTURE_AGAIN,
        _P,
        _INVALID,
        _BAD_HASH,
        field="hardware_hash",
        expected="the device ID of its own TPM key",
    ),
    Reason(
        "HIDDEN_CHARACTER",
        "fields",
        "A value holds an invisible or control character.",
        "Type the value anew instead of pasting it.",
        _P,
        _INVALID,
        field="*",
        expected="visible characters only",
    ),
    Reason(
        "FORMULA_CELL",
        "fields",
        "A value begins with = + - or @, which a spreadsheet would run as a formula.",
        "Remove the leading character.",
        _P,
        _INVALID,
        field="*",
        expected="a value that begins with none of = + - @",
    ),
    Reason(
        "SPREADSHEET_DAMAGE",
        "fields",
        "A value was made by a spreadsheet: an error, a rounded number, a date, or an apostrophe in front.",
        "Format the columns as text, enter the values again from the devices or the order, and send the file anew.",
        _P,
        _INVALID,
        field="serial_number",
        expected="the value as the device reports it",
    ),
    Reason(
        "PRODUCT_ID_FORMAT",
        "fields",
        "The Windows product ID is not 13 digits, or a spreadsheet has rounded it.",
        "Format the column as text and enter the 13 digits again.",
        _P,
        _INVALID,
        field="windows_product_id",
        expected="13 digits",
    ),
    Reason(
        "SERIAL_PLACEHOLDER",
        "fields",
        "The serial number is a placeholder that many devices share.",
        "Have the real serial number written to the firmware, or send the real one.",
        _P,
        _INVALID,
        field="serial_number",
        expected="the serial number of this one device",
    ),
    Reason(
        "SERIAL_FORMAT",
        "fields",
        "The value is no serial number: it is left from a template, holds several, or is too long.",
        "Give the one serial number of the device, as it reports it, and a row to each device.",
        _P,
        _INVALID,
        field="serial_number",
        expected="one serial number of at most 64 characters, without brackets, quotation marks or separators",
    ),
    Reason(
        "TUPLE_PLACEHOLDER",
        "fields",
        "The manufacturer or the model is a placeholder.",
        "Send both as the device reports them, or send the hardware hash or the product ID.",
        _P,
        _INVALID,
        field="manufacturer",
        expected="a manufacturer and a model",
    ),
    Reason(
        "COLUMNS_SHIFTED",
        "fields",
        "A manufacturer stands where the serial number belongs.",
        "Put the values under the columns that name them: one was left out, added, or exchanged.",
        _P,
        _INVALID,
        field="serial_number",
        expected="a serial number, not a manufacturer",
    ),
    Reason(
        "SERIAL_MISMATCH",
        "fields",
        "The serial number of the row is not the one inside the hardware hash.",
        "Find out which device the row means and send its own serial number and hash.",
        _P,
        _INVALID,
        "908 SerialNumberMismatch",
        field="serial_number",
        expected="the serial number inside the hash",
    ),
    Reason(
        "PRODUCT_ID_MISMATCH",
        "fields",
        "The product ID of the row is not the one inside the hardware hash.",
        "Find out which device the row means and send its own product ID and hash.",
        _P,
        _INVALID,
        "908 ProductKeyIdMismatch",
        field="windows_product_id",
        expected="the product ID inside the hash",
    ),
    Reason(
        "MANUFACTURER_MISMATCH",
        "fields",
        "The manufacturer of the row is not the one inside the hardware hash.",
        "Send the manufacturer exactly as the device reports it, or leave it empty beside a hash.",
        _P,
        _INVALID,
        field="manufacturer",
        expected="the manufacturer inside the hash",
    ),
    Reason(
        "MODEL_MISMATCH",
        "fields",
        "The model of the row is not the one inside the hardware hash.",
        "Send the model exactly as the device reports it, or leave it empty beside a hash.",
        _P,
        _INVALID,
        field="model",
        expected="the model inside the hash",
    ),
    Reason(
        "MANUFACTURER_SPELLING",
        "fields",
        "The manufacturer is not spelled as its devices report it.",
        "Use the exact spelling, for example LENOVO, HP, Dell Inc. or Microsoft Corporation.",
        _P,
        _INVALID,
        "812 ZtdDeviceNotFound",
        field="manufacturer",
        expected="the spelling that its devices report",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "GROUP_TAG_TOO_LONG",
        "fields",
        "The group tag is longer than allowed.",
        "Shorten the group tag.",
        _P,
        _INVALID,
        field="group_tag",
        expected="at most as many characters as --group-tag-limit allows",
        waits_for=Waits.SETTINGS,
    ),
    Reason(
        "USER_FORMAT",
        "fields",
        "The assigned user is not a user principal name.",
        "Use the form user@domain.",
        _P,
        _INVALID,
        field="assigned_user",
        expected="user@domain",
    ),
    Reason(
        "USER_DOMAIN",
        "fields",
        "The assigned user's domain does not belong to the customer.",
        "Use a user of one of the customer's verified domains.",
        _P,
        _INVALID,
        field="assigned_user",
        expected="a verified domain of the customer",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "REASON_TOO_LONG",
        "fields",
        "The departure's reason is longer than 128 characters.",
        "Say it in fewer words.",
        _P,
        _INVALID,
        field="departure_reason",
        expected="at most 128 characters",
    ),
    Reason(
        "EXCLUDED_WORKPLACE_JOINED",
        "exclusion",
        "The device is a personal device that is registered with the customer's directory.",
        "Remove the device's work account first, or leave it out.",
        _C,
        _EXCLUDED,
        field="serial_number",
        expected="a device that is not registered as a personal one",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "EXCLUDED_MDM_ONLY",
        "exclusion",
        "The device is enrolled in device management only, as personal devices are.",
        "Remove the enrollment first, or leave the device out.",
        _C,
        _EXCLUDED,
        field="serial_number",
        expected="a device that is not enrolled as a personal one",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "EXCLUDED_DIRECTORY_OBJECT",
        "exclusion",
        "The device has a directory object of its own already.",
        "Ask the customer to remove the device from its directory first.",
        _C,
        _EXCLUDED,
        "814 ZtdDeviceAlreadyAadRegistered",
        field="serial_number",
        expected="a device without a directory object",
        waits_for=Waits.REFERENCE,
    ),
    Reason(
        "NOT_REGISTERED",
        "departure",
        "No registration of this customer is exactly the device that the row names.",
        "Check the customer, and the device's identity as it was registered; leave out what is not registered.",
        _P,
        _NOT_REGISTERED,
        "807 ZtdDeviceNotRegistered",
        field="serial_number",
        expected="the exact identity of a device that is registered for this customer",
    ),
    Reason(
        "DEPARTURE_LIMIT",
        "departure",
        "The departures of this run would end more of the customer's registrations than is allowed at once.",
        "Find out whether so many devices leave; if they do, an operator raises --departure-limit for a run.",
        _O,
        _REVIEW,
        field="tenant_id",
        expected="departures of a share of the customer's devices within --departure-limit",
        waits_for=Waits.SETTINGS,
    ),
    Reason(
        "CONFLICTING_CLAIMS",
        "within the batch",
        "The same device is claimed for two customers in one delivery.",
        "Find out whose device it is and send only that row.",
        _P,
        _REVIEW,
        field="tenant_id",
        expected="one customer for one device",
        waits_for=Waits.REGISTRY,
    ),
    Reason(
        "DUPLICATE_IN_BATCH",
        "within the batch",
        "The same device stands in this delivery more than once; another row of it was taken.",
        "Nothing to do: send each device once.",
        _P,
        _DUPLICATE,
        "ZtdDeviceDuplicated",
        field="serial_number",
        expected="each device once",
    ),
    Reason(
        "REGISTERED_OTHER_TENANT",
        "against the registry",
        "The device is registered for another customer.",
        "Have the former owner's registration removed, then send the row again.",
        _C,
        _DUPLICATE,
        "808 ZtdDeviceAssignedToOtherTenant",
        field="serial_number",
        expected="a device that nobody has registered",
        waits_for=Waits.REGISTRY,
    ),
    Reason(
        "REGISTERED_BY_CUSTOMER",
        "against the registry",
        "The customer has registered the device itself.",
        "Ask the customer to deregister it if the partner shall manage it.",
        _C,
        _DUPLICATE,
        field="serial_number",
        expected="a device that nobody has registered",
    ),
    Reason(
        "ALREADY_REGISTERED",
        "against the registry",
        "The device is registered for this customer already.",
        "Nothing to do.",
        _P,
        _DUPLICATE,
        "806 ZtdDeviceAlreadyAssigned",
        field="serial_number",
        expected="a device that nobody has registered",
    ),
    Reason(
        "BOARD_REPLACED",
        "against the registry",
        "The device's motherboard or TPM was replaced since it was registered.",
        "Have the old registration removed, for a reason that names the repair; the row waits for it.",
        _P,
        _REVIEW,
        field="serial_number",
        expected="the board that was registered, or its registration removed",
        waits_for=Waits.REGISTRY,
    ),
    Reason(
        "AMBIGUOUS_MATCH",
        "against the registry",
        "The row does not identify one device: its components point at several, or contradict each other.",
        "Capture the hash again; an operator has to look at the devices named in the evidence.",
        _O,
        _REVIEW,
        "813 ZtdDeviceIsNotUnique",
        field="serial_number",
        expected="components of one device",
        waits_for=Waits.REGISTRY,
    ),
    Reason(
        "DEVICE_LEFT",
        "against the registry",
        "The row was carried out before and its device has left since, or it leaves in this run.",
        "If the device is back, capture its hash anew and send that; else leave the row out of the list.",
        _P,
        _REVIEW,
        field="serial_number",
        expected="a device that has not left, or a new capture of it",
    ),
    Reason(
        "PROBABLE_DUPLICATE",
        "against the registry",
        "The device is probably registered already: the row looks like a damaged form of an existing record.",
        "Check the serial number on the device and send it exactly, or send the hardware hash.",
        _P,
        _REVIEW,
        field="serial_number",
        expected="a serial number unlike those registered",
    ),
)

WARNINGS: tuple[Reason, ...] = (
    Reason(
        "HEADER_NOT_CANONICAL",
        "warning",
        "The header is none of the three documented lines.",
        "Use the documented header line exactly.",
        _P,
        None,
        expected="a documented header line, character for character",
    ),
    Reason(
        "PRODUCT_ID_IGNORED",
        "warning",
        "The Windows product ID beside the hardware hash is none, and was not used.",
        "Nothing to do: the hash names the device. ConfigMgr puts the operating system's ID there.",
        _P,
        None,
        field="windows_product_id",
        expected="13 digits, or nothing",
    ),
    Reason(
        "MANUFACTURER_DIFFERS",
        "warning",
        "The manufacturer is not the one inside the hardware hash, whose serial number the row names.",
        "Nothing to do: the hash's own is used. Leave the column empty beside a hash.",
        _P,
        None,
        field="manufacturer",
        expected="the manufacturer inside the hash",
    ),
    Reason(
        "MODEL_DIFFERS",
        "warning",
        "The model is not the one inside the hardware hash, whose serial number the row names.",
        "Nothing to do: the hash's own is used. Leave the column empty beside a hash.",
        _P,
        None,
        field="model",
        expected="the model inside the hash",
    ),
    Reason(
        "DEVICE_REPAIRED",
        "warning",
        "The device was registered for this customer before, with another motherboard or TPM.",
        "Nothing to do: the registration of the old board has ended.",
        _P,
        None,
        field="serial_number",
        expected="a device that was not repaired",
    ),
    Reason(
        "COLUMN_IGNORED",
        "warning",
        "The file has a column that is not read.",
        "Leave the column out; if it holds what should be read, give it the documented name.",
        _P,
        None,
        expected="documented columns only",
    ),
    Reason(
        "RECORD_UNWRAPPED",
        "warning",
        "Each line of the file was one quoted cell, and was read as what the cell holds.",
        "Save the file as plain CSV, without quotation marks around the lines.",
        _P,
        None,
        expected="lines without quotation marks around them",
    ),
    Reason(
        "ENCODING_MIXED",
        "warning",
        "The line is in another encoding than the file begins with.",
        "Nothing is lost. Write whole files with one program.",
        _P,
        None,
        expected="one encoding in one file",
    ),
    Reason(
        "ENCODING_NOT_ANSI",
        "warning",
        "The file is not ANSI text: it has a byte order mark, is UTF-16, or holds non-ASCII UTF-8.",
        "Save the file as ANSI before uploading it to Microsoft yourself.",
        _P,
        None,
        expected="ANSI text",
    ),
    Reason(
        "ROW_LIMIT_EXCEEDED",
        "warning",
        "The file has more rows than Microsoft's upload takes (500 for Intune, 1,000 elsewhere).",
        "Split the file before uploading it to Microsoft yourself.",
        _P,
        None,
        expected="at most 500 rows for Intune, 1,000 elsewhere",
    ),
    Reason(
        "VALUE_TRIMMED",
        "warning",
        "Blanks around a value were removed.",
        "Send values without blanks around them.",
        _P,
        None,
        expected="no blanks around values",
    ),
    Reason(
        "HASH_TEXT_REPAIRED",
        "warning",
        "The text of the hardware hash was damaged and could be repaired without loss.",
        "Send the file as the collector script wrote it.",
        _P,
        None,
        field="hardware_hash",
        expected="the text as the collector script wrote it",
    ),
    Reason(
        "HASH_LENGTH_UNUSUAL",
        "warning",
        "The hardware hash decodes to another length than 3,000 bytes.",
        "Nothing to do: its checksum holds.",
        _P,
        None,
        field="hardware_hash",
        expected="3,000 bytes",
    ),
    Reason(
        "HASH_FROM_WINPE",
        "warning",
        "The hash was captured in Windows PE, where some components are not visible.",
        "Capture it in full Windows where possible.",
        _P,
        None,
        field="hardware_hash",
        expected="a capture in full Windows",
    ),
    Reason(
        "HASH_NO_TPM",
        "warning",
        "The hash names no TPM.",
        "Switch the TPM on and capture the hash again: self-deployment needs it.",
        _P,
        None,
        field="hardware_hash",
        expected="a TPM",
    ),
    Reason(
        "HASH_CAPTURE_TIME",
        "warning",
        "The capture time is before 2015 or in the future.",
        "Set the device's clock.",
        _P,
        None,
        field="hardware_hash",
        expected="a capture time since 2015 and not in the future",
    ),
    Reason(
        "VIRTUAL_MACHINE",
        "warning",
        "The device is a virtual machine.",
        "Register virtual machines only for tests.",
        _P,
        None,
        field="model",
        expected="a physical device",
    ),
    Reason(
        "UUID_COLLISION",
        "warning",
        "Another device reports the same SMBIOS UUID.",
        "Have the manufacturer write a UUID of its own.",
        _P,
        None,
        field="hardware_hash",
        expected="a UUID of its own",
    ),
    Reason(
        "DISK_OF_REGISTERED_DEVICE",
        "warning",
        "The device carries the disk of a registered device.",
        "Deregister the device that the disk comes from, if it is gone.",
        _P,
        None,
        field="hardware_hash",
        expected="a disk that no registered device has",
    ),
)

CATALOGUE: dict[str, Reason] = {reason.code: reason for reason in REASONS + WARNINGS}
REASON_CODES: tuple[str, ...] = tuple(reason.code for reason in REASONS)
OUTCOMES: dict[str, Outcome | None] = {reason.code: reason.outcome for reason in REASONS}
"""What becomes of a row by its primary reason."""
WARNING_CODES: tuple[str, ...] = tuple(reason.code for reason in WARNINGS)

NOTHING_TO_DO = ("ALREADY_REGISTERED", "DUPLICATE_IN_BATCH")
"""Reasons with which a row has what it asked for, or another row of its device was taken."""

OF_WHOLE_FILE = ("FILE_TYPE_UNKNOWN", "FILE_UNREADABLE", "FILE_TOO_LARGE", "FILE_HEADER_UNKNOWN", "RECORD_TOO_LARGE")
"""Reasons for which the file itself has to be sent again: its rows are not known to be whole, or to be rows."""

CORRECTABLE: tuple[str, ...] = tuple(
    reason.code
    for reason in REASONS
    if (reason.waits_for is Waits.DELIVERY or reason.family in {"identity", "fields"})
    and reason.outcome is not Outcome.STRUCTURE
    and reason.code not in {*NOTHING_TO_DO, *OF_WHOLE_FILE, "REGISTERED_BY_CUSTOMER"}
)
"""Reasons that a partner can mend in the row and deliver that again, whether or not the row also waits: all for which
only a new delivery helps, and those about its own cells, which reference data or a setting may mend as well."""


def codes_of(*families: str) -> tuple[str, ...]:
    """Codes of the named families, in the catalogue's order."""
    return tuple(reason.code for reason in CATALOGUE.values() if reason.family in families)

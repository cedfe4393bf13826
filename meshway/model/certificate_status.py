"""What is told of a Certificate beside what was written: by whom it is, until when, and where it is shown."""

import msgspec


class CertificateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """not_after: RFC 3339. serial, fingerprint: hex, the latter SHA-256 of the leaf. gateways: how many of the live
    ones show it, `3/3`."""

    not_after: str
    issuer: str
    serial: str
    fingerprint: str
    gateways: str

"""Keys, who may sign, and what was signed."""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, LargeBinary, SmallInteger, Table, Text

from registry.store.tables.metadata import METADATA

# What seals what the store holds, wrapped by a master key that it does not hold.
DATA_KEYS: Final = Table(
    "data_keys",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

# One row, once there is an authority. phase: of a change of the root, `registry/identity/rotation.py`. generation: one
# more with every change of it or of an authority, so that two who change it do not overlook each other.
TRUST: Final = Table(
    "trust",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("trust_domain", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

# Who may sign: roots and intermediates, and the keys of service tokens. issuer: the authority that signed it, "" = its
# own. certificate: DER; of a token key its public key. sealed_key: NULL where the key is kept elsewhere.
AUTHORITIES: Final = Table(
    "authorities",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("sealed_key", LargeBinary, nullable=True),
    Column("not_after", Float, nullable=False),
    Column("created_at", Float, nullable=False),
)

# What was issued and has not expired. value: DER. issued_by: the enrolment, the serial it renews, or a principal.
# request: SHA-256 of the request's public key. replaced_at, revoked_at: NULL while it is the newest, and good.
CERTIFICATES: Final = Table(
    "certificates",
    METADATA,
    Column("serial", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("not_after", Float, nullable=False),
    Column("issued_by", Text, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("replaced_at", Float, nullable=True),
    Column("revoked_at", Float, nullable=True),
    Column("revoked_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("certificates_by_subject", "subject", "not_after"),
    Index("certificates_by_age", "not_after"),
    Index("certificates_by_issuer", "issued_by"),
)

# One-time tokens that nobody has used yet. hash: SHA-256 of the token. cidr: where it may be used, "" = anywhere.
ENROLMENTS: Final = Table(
    "enrolments",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("subject", Text, nullable=False),
    Column("cidr", Text, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("created_by", Text, nullable=False),
)

"""A root that is not ours alone: an intermediate of a company's own authority, and our root's key taken offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from meshway.problem import FieldError, Problem, invalid_request
from registry.identity.custody import read_key
from registry.identity.issuing import end_of
from registry.identity.signing_request import key_digest
from registry.revisions.acts import noted
from registry.store.authorities import take_key
from registry.store.steps import NoRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.identity.custody import Custody, Trust
    from registry.revisions.revisions import Revisions
    from registry.store.interface import Store


class Outside:
    """wall: seconds since 1970."""

    def __init__(self, store: Store, custody: Custody, revisions: Revisions, wall: Callable[[], float]) -> None:
        self._store = store
        self._custody = custody
        self._revisions = revisions
        self._wall = wall

    async def begin(self, trust_domain: str, *, root: str, intermediate: str, key: str) -> Trust:
        """An authority whose root stands elsewhere. All PEM; key: the intermediate's. Raises Problem 409, 422."""
        above, below = _certificate(root, "root"), _certificate(intermediate, "intermediate")
        own = read_key(key)
        _check(above, "root", self._wall())
        _check(below, "intermediate", self._wall())
        if key_digest(own.public_key()) != key_digest(below.public_key()):
            raise _invalid("key", "is not the intermediate's")
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature):
            raise _invalid("intermediate", "was not issued by the root") from None
        signing = self._custody.record("root", above, None, state="current")
        issuing = self._custody.record("intermediate", below, own, state="current", issuer=signing.id)
        return await self._custody.begin_with(trust_domain, [signing, issuing])

    async def take_root_key(self) -> str:
        """The root's key in PEM, for its keeper: from here on it is not in the store. Raises Problem 409."""
        trust = await self._custody.trust()
        root = trust.root
        key = self._custody.key_of(root)
        if (row := noted({"op": "take", "root_key": root.id})) is not None:
            await self._revisions.submit(row)
        try:
            await self._store.do([take_key(root.id)])
        except NoRow:
            raise Problem(409, "key_offline", "Key is offline", detail="somebody else has taken it") from None
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


def _certificate(pem: str, path: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise _invalid(path, "is no certificate in PEM") from None


def _check(certificate: x509.Certificate, path: str, now: float) -> None:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        raise _invalid(path, "does not say that it may sign certificates (basicConstraints, keyUsage)") from None
    if not constraints.ca or not usage.key_cert_sign:
        raise _invalid(path, "may not sign certificates")
    if not certificate.not_valid_before_utc.timestamp() <= now < end_of(certificate):
        raise _invalid(path, "is not valid now")


def _invalid(path: str, why: str) -> Problem:
    return invalid_request(f"{path}: {why}", (FieldError(path=path, code="out_of_bounds", message=f"{path}: {why}"),))

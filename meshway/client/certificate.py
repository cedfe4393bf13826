"""Keeps a program's certificate: enrols once, renews at half its life, follows the roots.

What it meets does not break the program: the certificate it has is good for half its life more, in which it tries on.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec

from meshway.client import identity_calls
from meshway.client.credential import Credential, Key
from meshway.client.errors import MeshwayError, Unreachable
from meshway.client.keeper import backoff_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.client.calls import Call
    from meshway.client.certificate_folder import CertificateFolder
    from meshway.client.identity_calls import Issued

T = TypeVar("T")
ROOTS_S: Final = 60.0
SOON_S: Final = 300.0
_SPREAD: Final = 0.1
# Where the registry refused, and not merely was away: an operator has to do something first.
_REFUSED_S: Final = 60.0
_log = logging.getLogger("meshway.client.certificate")


class Sends(Protocol):
    async def send(self, call: Call[T]) -> T: ...


class NotEnrolled(Exception):
    """There is no certificate, and no token to get one by; the message says what to do."""


class CertificateKeeper:
    """folder: where it lies; it is read at the start, so that a restart needs no token. token: gives the one-time token
    when there is no certificate to renew, "" = there is none. keeps_token: a service token lies there, too. changed:
    told of every new certificate and every other set of roots, on the loop. wall: seconds since 1970. chance: 0 to 1.
    """

    def __init__(
        self,
        registry: Sends,
        folder: CertificateFolder,
        *,
        token: Callable[[], str],
        keeps_token: bool = False,
        changed: Callable[[Credential], None] = lambda _: None,
        wall: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._registry = registry
        self._folder = folder
        self._token = token
        self._token_at = 0.0 if keeps_token else math.inf
        self._changed = changed
        self._wall = wall
        self._chance = chance
        self._key: Key | None = None
        self._failures = 0
        self._renew_at = 0.0
        self._roots_at = 0.0
        self._has_one = asyncio.Event()
        self.credential: Credential | None = None
        self.problem = ""

    async def first(self) -> Credential:
        """The certificate there is, or the first that comes; for as long as it takes: give it a timeout."""
        await self._has_one.wait()
        assert self.credential is not None
        return self.credential

    async def run(self) -> None:
        """Until cancelled."""
        self.take_kept()
        while True:
            wait_s = await self.step()
            await asyncio.sleep(wait_s)

    def take_kept(self) -> None:
        """What the folder holds, if it is still good."""
        kept = self._folder.read()
        if kept is not None and kept.not_after > self._wall():
            self._take(kept)

    async def step(self) -> float:
        """Does what is due and returns the seconds until something is due again."""
        try:
            if self.credential is None or self._wall() >= self._renew_at:
                await self._get()
            elif self._wall() >= self._token_at:
                await self._keep_token(self.credential)
            elif self._wall() >= self._roots_at:
                await self._follow_roots()
        except (MeshwayError, NotEnrolled, OSError, ValueError) as error:
            return self._failed(error)
        if self._failures:
            _log.info("the certificate is kept again")
        self._failures, self.problem = 0, ""
        return max(0.0, min(self._renew_at, self._token_at, self._roots_at) - self._wall())

    async def _get(self) -> None:
        """A new key for every certificate; one whose answer was lost is asked for with the same again."""
        held = self.credential
        if held is not None and held.not_after <= self._wall():
            _log.error("the certificate has expired without being renewed")
            held = self.credential = None
            self._has_one.clear()
        key = self._key = self._key or Key()
        csr = key.signing_request()
        if held is not None:
            proof = Key(held.key).renewal_proof(csr)
            issued = await self._registry.send(identity_calls.renew(held.certificate, csr, proof))
        elif token := self._token():
            issued = await self._registry.send(identity_calls.enrol(token, csr))
        else:
            raise NotEnrolled(
                "there is no certificate and no token to get one by: meshway token create --enrol NAMESPACE/SERVICE"
            )
        credential = _credential(key, issued)
        self._folder.write(credential)
        self._key = None
        self._take(credential)
        _log.info("holds a certificate for %s", issued.subject)

    async def _keep_token(self, held: Credential) -> None:
        at = int(self._wall())
        call = identity_calls.service_token(held.certificate, at, Key(held.key).token_proof(at))
        token = await self._registry.send(call)
        self._folder.write_token(token.token)
        self._token_at = self._wall() + self._about((token.expires_at - self._wall()) / 2)

    async def _follow_roots(self) -> None:
        held = self.credential
        assert held is not None
        found = await self._registry.send(identity_calls.roots())
        self._roots_at = self._wall() + self._about(ROOTS_S)
        if found.roots != held.roots:
            self._folder.write_roots(found.roots)
            self.credential = msgspec.structs.replace(held, roots=found.roots)
            self._changed(self.credential)
            _log.info("trusts other roots than before")
        under = held.issued_under
        if found.issuing and under and under != found.issuing:
            # A root is being replaced, and goes once nobody has a certificate of it: everybody is asked at once.
            self._renew_at = min(self._renew_at, self._wall() + SOON_S * self._chance())

    def _take(self, credential: Credential) -> None:
        self.credential = credential
        self._has_one.set()
        self._renew_at = renewal_at(credential, self._chance())
        self._roots_at = self._wall() + self._about(ROOTS_S)
        if self._token_at != math.inf:
            self._token_at = 0.0  # the one before falls with its certificate
        self._changed(credential)

    def _about(self, wait_s: float) -> float:
        return wait_s * (1 - _SPREAD + 2 * _SPREAD * self._chance())

    def _failed(self, error: Exception) -> float:
        line = error.line if isinstance(error, MeshwayError) else str(error)
        if line != self.problem:
            what = "there is no certificate yet" if self.credential is None else "the certificate is not renewed"
            mend = "; a new token: meshway token create --enrol" if self.credential is None else ""
            _log.warning("%s: %s; trying on%s", what, line, mend if not isinstance(error, Unreachable) else "")
        wait_s = backoff_s(self._failures, self._chance()) if isinstance(error, Unreachable) else _REFUSED_S
        self.problem = line
        self._failures += 1
        return wait_s


def renewal_at(credential: Credential, chance: float) -> float:
    """At half its life, a tenth of that sooner or later, so that what began together does not come together."""
    half_s = (credential.not_after - credential.not_before) / 2
    return credential.not_before + half_s * (1 - _SPREAD + 2 * _SPREAD * chance)


def _credential(key: Key, issued: Issued) -> Credential:
    """Raises ValueError where it is not for this key: then nothing that is kept may be replaced by it."""
    if not key.is_of(issued.certificate):
        raise ValueError("the registry answered with a certificate for another key")
    return Credential(
        key=key.pem,
        certificate=issued.certificate,
        roots=issued.roots,
        not_before=issued.not_before,
        not_after=issued.not_after,
    )

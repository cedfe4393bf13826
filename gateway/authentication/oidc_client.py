"""A document's client at its OpenID provider: the code flow, with the secret that a Secret holds."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gateway.authentication.session_cookie import SessionSeal
from gateway.secret_ring import SecretRing
from meshway.issuers.code_flow import CodeFlow
from meshway.issuers.key_ring import KeyRing
from meshway.issuers.link import IssuerLink
from meshway.model.oidc import Oidc
from meshway.model.secret import CLIENT_SECRET, secret_ref


class Credentials(NamedTuple):
    secret: str
    seal: SessionSeal


class OidcClient(CodeFlow):
    """namespace, title: of the document. wall: seconds since 1970; now: monotonic seconds."""

    def __init__(
        self,
        spec: Oidc,
        namespace: str,
        title: str,
        keys: KeyRing,
        secrets: SecretRing,
        link: IssuerLink,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.spec = spec
        super().__init__(spec.issuer, spec.client_id, self._known_secret, keys, link, now, wall)
        self._namespace, self._title = namespace, title
        self._secrets = secrets
        self._wanted = secret_ref(spec.client_secret)
        self._credentials: Credentials | None = None

    def credentials(self) -> Credentials | None:
        """None: the Secret is not known here, or of no use."""
        if self._credentials is None:
            frame = self._secrets.held(self._namespace, self._wanted)
            if frame is None or frame.type != "opaque" or not frame.versions:
                return None
            version = frame.versions[0]
            secret = version.data.get(self._wanted.key or CLIENT_SECRET) if isinstance(version.data, Mapping) else None
            if not isinstance(secret, str) or not secret or len(version.session_key) != 32:
                return None
            owner = f"{self._title} {self.spec.issuer} {self.spec.client_id}"
            self._credentials = Credentials(secret, SessionSeal(version.session_key, owner))
        return self._credentials

    def forget(self) -> None:
        """Keys, end points or the secret are others."""
        super().forget()
        self._credentials = None

    def _known_secret(self) -> str | None:
        credentials = self.credentials()
        return None if credentials is None else credentials.secret

"""Programs in Kubernetes enrol by their service account's token in place of a one-time token.

The cluster says whose a token is (TokenReview, authentication.k8s.io/v1), and that it was made for us: `audiences` of
the answer names AUDIENCE. Service account `NAMESPACE/NAME` is service `NAMESPACE/NAME` of the mesh.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.certificates import CertificateFault
from meshway.outbound.connection import PlainError
from meshway.outbound.fetch import post_json
from meshway.outbound.guard import guarded_dial
from meshway.problem import Problem
from meshway.settings import SettingError, is_http_url, read_secret
from meshway.tls import client_context
from registry.settings import StartRefused

if TYPE_CHECKING:
    import ssl

    from registry.settings import RegistrySettings

AUDIENCE: Final = "meshway"
TIMEOUT_S: Final = 5.0
MOST_AT_ONCE: Final = 16
_PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
_LONGEST_ANSWER: Final = 64 << 10
_ACCOUNT: Final = re.compile(r"system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9-]{1,63})\Z")


class _User(msgspec.Struct, frozen=True):
    username: str = ""


class _Status(msgspec.Struct, frozen=True):
    authenticated: bool = False
    user: _User = _User()
    audiences: tuple[str, ...] = ()


class _Review(msgspec.Struct, frozen=True):
    status: _Status


_decoder: Final = msgspec.json.Decoder(_Review)


class TokenReviews:
    """url: of the cluster's API. tls: what verifies it. token_file: by which the registry itself asks."""

    def __init__(self, settings: RegistrySettings) -> None:
        """Raises StartRefused."""
        url = settings.kubernetes_api.rstrip("/")
        if not is_http_url(url) or not url.startswith("https://"):
            raise StartRefused(f"--kubernetes-api {url} is no URL like https://kubernetes.default.svc")
        self._url = url + _PATH
        self._token_file = settings.kubernetes_token_file
        self._tls: ssl.SSLContext
        try:
            self._tls = client_context(settings.kubernetes_ca_file.read_bytes())
        except (OSError, CertificateFault) as error:
            why = f"cannot believe the cluster by {settings.kubernetes_ca_file}: {error}"
            raise StartRefused(f"{why}; name its authority: --kubernetes-ca-file") from error
        self._dial = guarded_dial(allow_loopback=settings.is_on_loopback)
        self._running = 0

    async def subject(self, token: str) -> str:
        """`NAMESPACE/NAME` of the account whose token it is. Raises Problem 401, 503."""
        if self._running >= MOST_AT_ONCE:
            raise _away("too many enrol at once")
        self._running += 1
        try:
            status, text = await self._asked(token)
        except (PlainError, SettingError) as error:
            raise _away(str(error)) from error
        finally:
            self._running -= 1
        if status not in (200, 201):
            raise _away(f"it answers {status}")
        try:
            review = _decoder.decode(text).status
        except msgspec.DecodeError as error:
            raise _away("its answer cannot be read") from error
        account = _ACCOUNT.match(review.user.username)
        # A cluster that knows no audiences leaves them out: the token may have been made for anybody.
        if not review.authenticated or AUDIENCE not in review.audiences or account is None:
            raise Problem(
                401,
                "invalid_enrolment_token",
                "Not enrolled",
                detail=f"the cluster knows it for no token of a service account made for {AUDIENCE}",
                mend=f"project a serviceAccountToken with audience {AUDIENCE} into the pod",
            )
        return f"{account[1]}/{account[2]}"

    async def _asked(self, token: str) -> tuple[int, bytes]:
        """Raises PlainError, SettingError."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        fields = f"Authorization: Bearer {read_secret(self._token_file)}\r\n".encode("ascii")
        return await post_json(
            self._url,
            msgspec.json.encode(body),
            fields,
            self._dial,
            self._tls,
            limit=_LONGEST_ANSWER,
            timeout_s=TIMEOUT_S,
        )


def is_account_token(text: str) -> bool:
    """By its look: a JSON Web Token."""
    return text.count(".") == 2


def _away(why: str) -> Problem:
    return Problem(
        503,
        "cluster_away",
        "The cluster is away",
        detail=f"the cluster's API does not say whose the token is: {why}",
        mend="try again in some seconds, or use a one-time token: meshway token create --enrol NAMESPACE/SERVICE",
        headers={"Retry-After": "5"},
    )

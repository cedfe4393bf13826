"""The registry as the simulated mesh meets it: its public API, one connection, each answer looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadtest.simulator.shape import Instance

BATCH: Final = 1_000
TTL_S: Final = 30
_ANSWER_S: Final = 30.0
_encode: Final = msgspec.json.Encoder().encode


class Registry:
    """revision: the newest that an answer told of. lost: requests that were not answered, or refused."""

    def __init__(self, url: str, token: str = "", say: Callable[[str], None] = print) -> None:
        fields = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=url, headers=fields, timeout=_ANSWER_S, trust_env=False)
        self._say = say
        self.revision = 0
        self.lost = 0

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Raises RuntimeError with what the registry said, httpx.TransportError."""
        content = None if body is None else _encode(body)
        answer = self._client.request(method, path, content=content, headers={"content-type": "application/json"})
        if answer.status_code >= 300:
            raise RuntimeError(f"{method} {path} was answered {answer.status_code}: {answer.text[:600]}")
        self.revision = max(self.revision, int(answer.headers.get("meshway-revision", 0)))
        return answer.json() if answer.content else None

    def tell(self, path: str, body: object) -> None:
        """What a gateway says again soon, or what is lost: a registry that is away for a while ends no simulation."""
        try:
            self.ask("POST", path, body)
        except (RuntimeError, httpx.TransportError) as error:
            self.lost += 1
            self._say(f"! {error}")


class Presence:
    """The instances: registered, renewed, and taken out again, those that were not there before."""

    def __init__(self, registry: Registry, instances: Sequence[Instance]) -> None:
        self._registry = registry
        self._instances = {(one.namespace, one.service, one.id): one for one in instances}
        self._leases: dict[str, tuple[str, str, str]] = {}
        self._created: set[tuple[str, str, str]] = set()

    @property
    def count(self) -> int:
        return len(self._leases)

    def register(self, wanted: Sequence[tuple[str, str, str]] | None = None) -> None:
        """wanted: None: all."""
        names = list(self._instances) if wanted is None else list(wanted)
        for at in range(0, len(names), BATCH):
            rows = [self._instances[name]._asdict() | {"ttl_s": TTL_S} for name in names[at : at + BATCH]]
            told = self._registry.ask("POST", "/v1/registrations", {"instances": rows})
            for one in told["instances"]:
                key = (one["namespace"], one["service"], one["id"])
                self._leases[one["lease_id"]] = key
                if one["created"]:
                    self._created.add(key)

    def renew(self) -> None:
        """Those whose lease is known no more are registered anew."""
        leases = list(self._leases)
        for at in range(0, len(leases), 10 * BATCH):
            told = self._registry.ask("POST", "/v1/heartbeats", {"leases": leases[at : at + 10 * BATCH]})
            gone = [self._leases.pop(lease) for lease in told.get("unknown", ()) if lease in self._leases]
            if gone:
                self.register(gone)

    def deregister(self) -> None:
        for namespace, service, instance in sorted(self._created):
            self._registry.ask("DELETE", f"/v1/namespaces/{namespace}/services/{service}/instances/{instance}")
        self._created.clear()

"""Which key sets and OpenID providers the Authentications name, and what came of them: frames for all workers.

How long a set is believed while its issuer is down is each document's word (`jwks_max_stale`), held by the workers.
"""

from collections.abc import Callable, Iterable

from gateway.channel import ChannelFrame, KeySetFrame, KeySetsWanted
from gateway.compiler.diff import DocumentKey, read_changes
from meshway.issuers.key_sources import Fetch, KeySources, Published
from meshway.issuers.provider import REFRESH_S, set_name
from meshway.model.authentication import Authentication
from meshway.snapshot import Change


class KeyFetching:
    """send: a frame to all workers. now: monotonic seconds, wall: since 1970; random: uniform in [0, 1)."""

    def __init__(
        self,
        fetch_text: Fetch,
        send: Callable[[ChannelFrame], None],
        now: Callable[[], float],
        wall: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._send = send
        self._sources = KeySources(fetch_text, lambda held: send(_frame(held)), now, wall, random)
        self._named: dict[DocumentKey, dict[str, float]] = {}
        self.miss = self._sources.miss
        self.run = self._sources.run

    def replace(self, changes: Iterable[Change]) -> None:
        """A snapshot is held. As in `take`, a document whose new version cannot be read goes on as it was."""
        held = [change for change in changes if change.kind == Authentication.__name__]
        for key in self._named.keys() - {change.key for change in held}:
            del self._named[key]
        self.take(held)

    def take(self, changes: Iterable[Change]) -> None:
        """Changes are held."""
        diff = read_changes(change for change in changes if change.kind == Authentication.__name__)
        for key, entry in diff.documents.items():
            self._named.pop(key, None)
            if entry is not None:
                self._named[key] = {
                    method.jwt.jwks_uri: float(method.jwt.jwks_refresh)
                    for method in entry.spec.methods
                    if method.jwt is not None and method.jwt.jwks_uri is not None
                } | {
                    set_name(method.oidc.issuer): REFRESH_S for method in entry.spec.methods if method.oidc is not None
                }
        wanted: dict[str, float] = {}
        for urls in self._named.values():
            for url, refresh_s in urls.items():
                wanted[url] = min(refresh_s, wanted.get(url, refresh_s))
        if self._sources.want(wanted):
            self._send(KeySetsWanted(urls=list(wanted)))

    def restore(self, frame: KeySetFrame) -> None:
        """As it was kept over a restart."""
        self._sources.restore(Published(frame.url, frame.text, frame.confirmed_s))

    def frames(self) -> list[KeySetFrame]:
        """What a new worker must know, and the next start."""
        return [_frame(held) for held in self._sources.held()]


def _frame(held: Published) -> KeySetFrame:
    return KeySetFrame(url=held.url, text=held.text, confirmed_s=held.confirmed_s)

"""Holds off who guesses passwords: after some failures each further try has to wait, longer each time.

Kept for each account and each address, whether there is such an account or not, so that the answer tells nothing. What
is counted is in memory, of this registry alone.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from meshway.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

FREE: Final = 5
MAX_WAIT_S: Final = 300.0
# Without another failure an account or an address is forgotten.
FORGET_S: Final = 900.0
MOST: Final = 10_000
_V6_NETWORK: Final = 64  # what one subscriber has at least, and may choose addresses from


class Throttle:
    """clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._accounts = _Failures(clock)
        self._addresses = _Failures(clock)

    def take(self, account: str, address: str) -> None:
        """Before a try, which counts as a failure until it is told otherwise: those that come together are counted.
        account: empty: of nobody known, where whoever tries must not hold off all others.

        Raises Problem 429.
        """
        place = network_of(address)
        wait_s = max(self._accounts.wait_s(account) if account else 0.0, self._addresses.wait_s(place))
        if wait_s > 0:
            seconds = str(math.ceil(wait_s))
            raise Problem(
                429,
                "too_many_failures",
                "Too many failures",
                detail=f"signing in failed too often: wait {seconds} s",
                headers={"Retry-After": seconds},
            )
        if account:
            self._accounts.add(account)
        self._addresses.add(place)

    def give_back(self, account: str, address: str) -> None:
        """The try was neither right nor wrong."""
        self._accounts.take_back(account)
        self._addresses.take_back(network_of(address))

    def succeeded(self, account: str, address: str) -> None:
        """Other accounts that failed from the address stay counted."""
        self._accounts.forget(account)
        self._addresses.take_back(network_of(address))


class _Failures:
    """By key: how many, and when the last one was. Bounded: the oldest make room."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, key: str) -> float:
        count, at = self._known.get(key, (0, 0.0))
        since_s = self._clock() - at
        if count < FREE or since_s > FORGET_S:
            return 0.0
        return max(0.0, min(2.0 ** min(count - FREE, 16), MAX_WAIT_S) - since_s)

    def add(self, key: str) -> None:
        now = self._clock()
        count, at = self._known.pop(key, (0, now))
        self._known[key] = (1 if now - at > FORGET_S else count + 1, now)
        if len(self._known) > MOST:
            self._known.popitem(last=False)

    def take_back(self, key: str) -> None:
        count, at = self._known.get(key, (0, 0.0))
        if count > 1:
            self._known[key] = (count - 1, at)
        else:
            self._known.pop(key, None)

    def forget(self, key: str) -> None:
        self._known.pop(key, None)


def network_of(address: str) -> str:
    """An IPv6 address's network; IPv4 as it is."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network(f"{address}/{_V6_NETWORK}", strict=False))
    except ValueError:
        return address

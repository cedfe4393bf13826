"""Takes one endpoint out on its own results, judged at each answer (Envoy's outlier detection, without its sweep).

Two rules: gateway failures (or 5xx) in a row, and a failure share that is high and well above the cluster's, so that a
failing dependency, which hurts all endpoints alike, ejects nobody. An ejection lasts base * 2^(k-1); k falls by one for
each max_ejection without another. Who may be ejected at all is the cluster's question.
"""

import math

from gateway.upstream.cluster_settings import OutlierSettings
from gateway.upstream.ratio_window import RatioWindow


class OutlierRecord:
    """What one endpoint did lately. ejections: k. failed_at: of the last gateway failure, monotonic seconds.

    told_at: when it was last told that it fails and is called on.
    """

    __slots__ = (
        "ejections", "failed_at", "gateway_failures", "is_own", "returned_at", "server_errors", "told_at", "window",
    )  # fmt: skip

    def __init__(self, window_s: float) -> None:
        self.window = RatioWindow(window_s, segments=4)
        self.gateway_failures = 0
        self.server_errors = 0
        self.ejections = 0
        self.returned_at = 0.0
        self.failed_at = 0.0
        self.is_own = False
        self.told_at = -math.inf

    def clear(self, now: float) -> None:
        """On return: the next answers are judged as if it were new."""
        self.gateway_failures = 0
        self.server_errors = 0
        self.returned_at = now
        self.window.clear()


class Outlier:
    """The judge of one cluster."""

    __slots__ = ("settings", "window")

    def __init__(self, settings: OutlierSettings) -> None:
        self.settings = settings
        self.window = RatioWindow(settings.window_s, segments=4)

    def record(self) -> OutlierRecord:
        return OutlierRecord(self.settings.window_s)

    def succeeded(self, record: OutlierRecord, now: float) -> None:
        """A good answer. Two windows by hand: this is on the way of every call."""
        window = record.window
        if now >= window.ends:
            window.advance(now)
        window.total += 1
        window = self.window
        if now >= window.ends:
            window.advance(now)
        window.total += 1
        record.gateway_failures = 0
        record.server_errors = 0

    def failed(self, record: OutlierRecord, is_gateway_failure: bool, now: float) -> bool:
        """A 5xx answer or a gateway failure. True: by its results the endpoint should be ejected."""
        settings = self.settings
        record.window.add(True, now)
        self.window.add(True, now)
        record.server_errors += 1
        if is_gateway_failure:
            record.gateway_failures += 1
            record.failed_at = now
        else:
            record.gateway_failures = 0
        if 0 < settings.consecutive_gateway_failures <= record.gateway_failures:
            return True
        if 0 < settings.consecutive_5xx <= record.server_errors:
            return True
        total, failures = record.window.counts(now)
        if total < settings.minimum_requests or failures * 100.0 <= settings.ratio_percent * total:
            return False
        all_total, all_failures = self.window.counts(now)
        share, all_share = failures / total, all_failures / max(all_total, 1)
        return (share - all_share) * 100.0 > settings.over_cluster_percent

    def ejection_s(self, record: OutlierRecord, now: float) -> float:
        """How long the next ejection lasts; counts it."""
        settings = self.settings
        if record.ejections:
            clean_spans = int((now - record.returned_at) / settings.max_ejection_s)
            record.ejections = max(0, record.ejections - clean_spans)
        record.ejections += 1
        return min(settings.base_ejection_s * 2.0 ** min(record.ejections - 1, 30), settings.max_ejection_s)

    def most_ejected(self, endpoints: int) -> int:
        return int(endpoints * self.settings.max_ejection_percent / 100.0)

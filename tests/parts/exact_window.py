"""What a limit of so many calls in a window means, by the plainest way to count: every call is kept."""


class ExactWindow:
    """Times never go back."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self.admitted: list[float] = []

    def admit(self, now: float) -> None:
        self.admitted.append(now)

    def count(self, now: float) -> int:
        """Calls of the window that ends now."""
        return self.within(now, self._window_s)

    def within(self, now: float, span_s: float) -> int:
        # The grain is that of the floats on both sides of the comparison.
        return sum(1 for at in self.admitted if now - span_s + 1e-9 < at <= now)

"""Which of the eligible endpoints gets the next attempt (pure)."""

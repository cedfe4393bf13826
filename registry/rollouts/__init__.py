"""Rollouts: a canary judged while it gets more calls, and the weights written that follow from it."""

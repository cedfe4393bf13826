"""How much hypothesis tries: little by default, much under `make fuzz` (--hypothesis-profile=long)."""

from hypothesis import HealthCheck, settings

# The blob printed with a failure repeats it; times are not judged, as machines are shared.
settings.register_profile("default", print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("default"), max_examples=20_000)
settings.load_profile("default")

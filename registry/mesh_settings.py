"""What MeshSettings say at this moment, with every default filled in."""

from __future__ import annotations

from meshway.model import mesh_settings
from meshway.model.document import MESH_NAMESPACE
from meshway.model.mesh_settings import MeshSettings
from registry.insight.rolling import STEPS_S
from registry.logs.logs import KeptLogs
from registry.view.view import View


def settings_of(view: View) -> MeshSettings:
    row = view.document((MeshSettings.__name__, MESH_NAMESPACE, mesh_settings.NAME))
    spec = None if row is None else row.spec
    return spec if isinstance(spec, MeshSettings) else MeshSettings()


def public_url(view: View) -> str:
    """Without a slash at its end; "": nobody said."""
    return settings_of(view).public_url.rstrip("/")


def leaf_lifetime_s(view: View) -> float:
    return (settings_of(view).identity or mesh_settings.Identity()).leaf_lifetime


def audit_age_s(view: View) -> float:
    return (settings_of(view).retention or mesh_settings.Retention()).audit


def points_kept_s(view: View) -> dict[int, float]:
    kept = settings_of(view).retention or mesh_settings.Retention()
    return dict(zip(STEPS_S, (kept.points_10s, kept.points_1m, kept.points_1h), strict=True))


def most_spans(view: View) -> int:
    return (settings_of(view).retention or mesh_settings.Retention()).spans


def logs_kept(view: View) -> KeptLogs:
    kept = settings_of(view).retention or mesh_settings.Retention()
    return KeptLogs(kept.logs, kept.logs_max)

"""Receiver: whom the registry tells of alerts, how many of them at once, and how often."""

from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from meshway.model.document import Label, Part, Spec
from meshway.model.secret import SecretRef
from meshway.units import Duration

Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
# The receiver of namespace `mesh` that gets what names no other.
DEFAULT: Final = "default"


class AppriseTarget(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """url: a Secret of type opaque whose text is an URL of Apprise (`mailtos://…`, `slack://…`)."""

    url: Label | SecretRef


class WebhookTarget(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Alertmanager's body, version "4", is posted to url. headers: an opaque Secret; each of its texts is the value of
    the header that it is named by. sign: the key that it is signed by (Standard Webhooks)."""

    url: Annotated[str, Meta(max_length=2048)]
    headers: Label | SecretRef | None = None
    sign: Label | SecretRef | None = None


class AlertmanagerTarget(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """url: of an Alertmanager, below which `/api/v2/alerts` is. auth: an opaque Secret whose text is the value of
    `Authorization`."""

    url: Annotated[str, Meta(max_length=2048)]
    auth: Label | SecretRef | None = None


class ReceiverMatch(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """labels: all of them, with these values. min_severity: this one and those above."""

    labels: Annotated[dict[str, str], Meta(max_length=32)] = {}
    min_severity: Severity = "info"


class Receiver(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of apprise, webhook, alertmanager. match: of the alerts that name it, those that are told.
    group_by: labels; alerts with the same values are told together. group_wait: from the first alert of a group to the
    first message. group_interval: from a message to the next one, where something has changed; repeat: where nothing
    has, while the alert fires.
    """

    plural: ClassVar[str] = "receivers"

    apprise: AppriseTarget | None = None
    webhook: WebhookTarget | None = None
    alertmanager: AlertmanagerTarget | None = None
    match: ReceiverMatch = msgspec.field(default_factory=ReceiverMatch)
    send_resolved: bool = True
    group_by: Annotated[tuple[str, ...], Meta(max_length=16)] = ("namespace", "alert")
    group_wait: Duration = msgspec.field(default_factory=lambda: Duration(30.0))
    group_interval: Duration = msgspec.field(default_factory=lambda: Duration(300.0))
    repeat: Duration = msgspec.field(default_factory=lambda: Duration(14_400.0))

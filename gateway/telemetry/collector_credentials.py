"""What a collector wants to see of a gateway: from the Secrets that the document which names it refers to."""

from gateway.secret_ring import SecretRing, authorities
from meshway.model.otlp import Otlp
from meshway.model.secret import secret_ref
from meshway.outbound.collector import Credentials, header_fields


def collector_credentials(otlp: Otlp, ring: SecretRing, namespace: str, wall_s: float) -> Credentials:
    """namespace: of the document. Without a Secret that is named nothing is sent."""
    fields, ca = b"", None
    if otlp.headers is not None:
        wanted = secret_ref(otlp.headers)
        frame = ring.held(namespace, wanted)
        if frame is None or frame.type != "opaque" or not frame.versions:
            return Credentials(missing=f"the Secret {wanted.secret} of its headers is not known here")
        data = frame.versions[0].data
        named = data if wanted.key is None else {wanted.key: data.get(wanted.key, "")}
        fields = header_fields(named)
    if otlp.ca is not None:
        wanted = secret_ref(otlp.ca)
        held = authorities(ring.held(namespace, wanted), wall_s)
        if held is None:
            return Credentials(missing=f"the Secret {wanted.secret} of its authorities is not known here")
        ca = held.contents.decode()
    return Credentials(fields, ca)

"""The envelope of Kubernetes objects: what of it is the cluster's own."""

from typing import Final

from meshway.formats.foreign import Block

# Written by the API server; they come along with `kubectl get -o yaml`.
_SERVER_FIELDS: Final = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "generateName", "generation",
    "managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid",
)  # fmt: skip


def read_envelope(root: Block) -> Block | None:
    """The spec. Name, namespace, labels and annotations are taken by the native documents it becomes."""
    for name in ("apiVersion", "kind"):
        root.take(name)
    root.ignore("status", "it is what the cluster saw")
    if metadata := root.block("metadata"):
        for name in ("name", "namespace", "labels", "annotations"):
            metadata.take(name)
        if any(metadata.has(name) for name in _SERVER_FIELDS):
            written = [name for name in _SERVER_FIELDS if metadata.take(name) is not None]
            metadata.findings.warn(metadata.at(written[0]), f"is ignored, the cluster's own: {', '.join(written)}")
        metadata.close()
    spec = root.block("spec")
    if spec is None and not root.has("spec"):
        root.findings.wrong(root.at("spec"), "missing_field", "is required")
    root.close()
    return spec

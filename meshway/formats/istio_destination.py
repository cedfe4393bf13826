"""Where a VirtualService sends to, calls and connections alike."""

from meshway.formats.foreign import At, Block
from meshway.formats.native import Tree, put
from meshway.formats.surroundings import Foreign, Surroundings


def named_destination(block: Block, one: Foreign, around: Surroundings) -> Tree | None:
    """The block's `destination`; None: it leads nowhere, which was told."""
    inner = block.block("destination")
    if inner is None:
        if not block.has("destination"):
            block.findings.wrong(block.at("destination"), "missing_field", "is required")
        return None
    return read_destination(inner, one, around)


def read_destination(block: Block, one: Foreign, around: Surroundings) -> Tree | None:
    host = block.text("host")
    if (name := block.text("name")) is not None:
        block.findings.warn(name.origin, "is read as host, its name in Istio since 2018", "old_name")
        host = host or name
    subset, port = block.text("subset"), block.block("port")
    number = port.number("number") if port else None
    if port:
        port.close()
    block.close()
    if host is None:
        block.findings.wrong(block.at("host"), "missing_field", "is required")
        return None
    if (service := around.service_of(host, one.namespace)) is None:
        return None
    told = around.destination(service, one.namespace, host.origin)
    put(told, "subset", subset)
    put(told, "port", around.port_of(service, number) if number else None)
    return told


def weighted_destination(block: Block, count: int, one: Foreign, around: Surroundings) -> Tree | None:
    """count: of those beside it, and itself."""
    told, weight = named_destination(block, one, around), block.number("weight")
    if told is not None and count > 1:  # the only one gets everything, whatever its weight
        told["weight"] = weight or At(0, block.origin)
    return told

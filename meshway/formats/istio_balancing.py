"""LoadBalancerSettings of a DestinationRule to load_balancer, locality and slow_start."""

from meshway.formats.foreign import At, Block
from meshway.formats.native import Tree, put

_SIMPLE = {
    "UNSPECIFIED": None, "LEAST_CONN": "least_request", "LEAST_REQUEST": "least_request", "RANDOM": "random",
    "ROUND_ROBIN": "round_robin", "PASSTHROUGH": "",
}  # fmt: skip


def load_balancer(block: Block, spec: Tree) -> None:
    """Writes the blocks of a TrafficPolicy."""
    simple = block.choice("simple", _SIMPLE)
    if simple is not None and simple.value == "":
        block.findings.refuse(simple.origin, "PASSTHROUGH calls the address that was asked for: name a service instead")
    elif simple is not None and simple.value is None:
        block.findings.warn(simple.origin, "is ignored: UNSPECIFIED leaves it to the default, least_request")
    elif simple is not None:
        put(spec, "load_balancer.algorithm", simple)
    if hashing := block.block("consistentHash"):
        _consistent_hash(hashing, spec)
    if locality := block.block("localityLbSetting"):
        _locality(locality, spec)
    if zones := block.block("zoneAwareLbSetting"):
        _locality(zones, spec)
    if warmup := block.block("warmup"):
        put(spec, "slow_start.window", warmup.duration("duration"))
        put(spec, "slow_start.min_percent", warmup.number("minimumPercent"))
        put(spec, "slow_start.aggression", warmup.number("aggression"))
        warmup.close()
    put(spec, "slow_start.window", block.duration("warmupDurationSecs"))
    block.close()


def _consistent_hash(block: Block, spec: Tree) -> None:
    balancer: Tree = {"algorithm": At("ring_hash", block.origin)}
    put(balancer, "hash_key.header", block.text("httpHeaderName"))
    put(balancer, "hash_key.query", block.text("httpQueryParameterName"))
    if (source := block.flag("useSourceIp")) is not None:
        if source.value:
            put(balancer, "hash_key.source_ip", source)
        else:
            block.findings.warn(source.origin, "is ignored: false says nothing")
    if cookie := block.block("httpCookie"):
        _cookie(cookie, balancer)
    put(balancer, "ring_hash.min_size", block.number("minimumRingSize"))
    if ring := block.block("ringHash"):
        put(balancer, "ring_hash.min_size", ring.number("minimumRingSize"))
        ring.close()
    if maglev := block.block("maglev"):
        balancer["algorithm"] = At("maglev", maglev.origin)
        put(balancer, "maglev.table_size", maglev.number("tableSize"))
        maglev.close()
    block.close()
    spec["load_balancer"] = {**spec.get("load_balancer", {}), **balancer}


def _cookie(block: Block, balancer: Tree) -> None:
    """Istio sets the cookie where a ttl is written, which is affinity here; without one it only reads it."""
    name, ttl = block.text("name"), block.duration("ttl")
    if name is None:
        block.findings.wrong(block.at("name"), "missing_field", "is required")
    elif ttl is None:
        put(balancer, "hash_key.cookie", name)
    else:
        del balancer["algorithm"]
        balancer["affinity"] = {"cookie": name, "ttl": ttl}
        reason = "the cookie that is set names the endpoint, signed, where Istio's holds what is hashed"
        block.findings.warn(ttl.origin, reason, "affinity_cookie")
    block.ignore("path", "the cookie holds for every path")
    block.refuse("attributes", "the cookie is SameSite=Lax and HttpOnly: other attributes are not set")
    block.close()


def _locality(block: Block, spec: Tree) -> None:
    enabled = block.flag("enabled")
    if enabled is not None:
        put(spec, "locality.mode", At("prefer_zone" if enabled.value else "ignore", enabled.origin))
    block.refuse("distribute", "shares between zones follow their healthy endpoints: locality.mode is the choice")
    for name in ("failover", "failoverPriority"):
        block.ignore(name, "what a zone cannot carry goes to the others; other services are named in failover")
    block.ignore("minClusterSize", "zones are kept to while they can carry their calls")
    block.close()

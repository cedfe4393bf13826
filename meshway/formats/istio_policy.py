"""DestinationRule to TrafficPolicies, and its subsets to the Service (networking.istio.io v1alpha3, v1beta1, v1)."""

from collections.abc import Iterator

from meshway.formats import istio_balancing
from meshway.formats.foreign import At, Block
from meshway.formats.foreign_metadata import read_envelope
from meshway.formats.foreign_values import at_block
from meshway.formats.istio_pool import connection_pool, outlier_detection
from meshway.formats.istio_route import refuse_export
from meshway.formats.native import Native, Tree, put
from meshway.formats.surroundings import Foreign, ServiceName, Surroundings


def convert_destination_rule(one: Foreign, around: Surroundings) -> Iterator[Native]:
    spec = read_envelope(around.root(one))
    if spec is None:
        return
    host = spec.text("host")
    if host is None and not spec.has("host"):
        spec.findings.wrong(spec.at("host"), "missing_field", "is required")
    refuse_export(spec)
    spec.refuse("workloadSelector", "a TrafficPolicy holds for every caller")
    policy, subsets = spec.block("trafficPolicy"), spec.blocks("subsets")
    spec.close()
    service = around.service_of(host, one.namespace) if host else None
    if service is None:
        return
    if service.namespace != one.namespace and host is not None:
        reason = f"the policy is written into namespace {service.namespace}, where its service lives, for every caller"
        spec.findings.warn(host.origin, reason, "other_namespace")
    assert host is not None
    target: Tree = {"service": At(service.name, host.origin)}
    if policy:
        yield from _policies(policy, one.name, target, one, service, around)
    named = []
    for subset in subsets:
        name = subset.text("name")
        labels = subset.members("labels")
        inner = subset.block("trafficPolicy")
        subset.close()
        if name is None:
            spec.findings.wrong(subset.at("name"), "missing_field", "is required")
            continue
        named.append(At({"name": name, "match": At(subset_match(labels), subset.at("labels"))}, subset.origin))
        if inner:
            yield from _policies(inner, f"{one.name}-{name.value}", {**target, "subset": name}, one, service, around)
    if named:
        parts = frozenset({"subsets"})
        yield Native("Service", service.namespace, service.name, {"subsets": named}, [one.document], parts)


def subset_match(labels: dict[str, At]) -> Tree:
    """Kubernetes' label `version` is an instance's version, any other its metadata."""
    match: Tree = {}
    for label, value in labels.items():
        if label == "version":
            match["version"] = value
        else:
            match.setdefault("metadata", {})[label] = value
    return match


def _policies(
    block: Block, name: str, target: Tree, one: Foreign, service: ServiceName, around: Surroundings
) -> Iterator[Native]:
    ports = block.blocks("portLevelSettings")
    block.refuse("tunnel", "calls are not wrapped in CONNECT")
    spec = _blocks(block)
    if proxy := block.block("proxyProtocol"):
        put(
            spec,
            "connection.proxy_protocol",
            proxy.choice("version", {"V1": "v1", "V2": "v2"}) or At("v1", proxy.origin),
        )
        proxy.close()
    if budget := block.block("retryBudget"):
        put(spec, "retry.budget.percent", budget.number("percent"))
        budget.ignore("minRetryConcurrency", "ten retries a second are always allowed: retry.budget.min_per_second")
        budget.ignore("budgetInterval", "retries are counted over ten seconds")
        budget.close()
    block.close()
    if spec:
        spec = {"targets": [At(target, block.origin)], **spec}
        yield Native("TrafficPolicy", service.namespace, name, spec, [one.document])
    for port in ports:
        number = _port_number(port)
        inner = _blocks(port)
        port.close()
        if number is None:
            continue
        names = around.ports.get(service, {})
        if number.value not in names:
            reason = f"no port {number.value} of {service.namespace}/{service.name} is known in this import: put its "
            port.findings.refuse(number.origin, reason + "Kubernetes Service or Meshway Service beside it")
        elif inner:
            own = {**target, "port": At(names[number.value], number.origin)}
            spec = {"targets": [At(own, port.origin)], **inner}
            yield Native("TrafficPolicy", service.namespace, f"{name}-{number.value}", spec, [one.document])


def _port_number(block: Block) -> At | None:
    port = block.block("port")
    number = port.number("number") if port else None
    if port:
        port.close()
    if number is None:
        block.findings.wrong(block.at("port.number"), "missing_field", "is required")
    return number


def _blocks(block: Block) -> Tree:
    """What a policy, and one of a port, may both say."""
    spec: Tree = {}
    if balancer := block.block("loadBalancer"):
        istio_balancing.load_balancer(balancer, spec)
    if pool := block.block("connectionPool"):
        connection_pool(pool, spec)
    if outliers := block.block("outlierDetection"):
        outlier_detection(outliers, spec)
    if tls := block.block("tls"):
        put(spec, "tls", at_block(_tls(tls), tls.origin))
    return spec


def _tls(block: Block) -> Tree:
    told: Tree = {}
    put(
        told,
        "mode",
        block.choice("mode", {"DISABLE": "off", "SIMPLE": "simple", "MUTUAL": "mutual", "ISTIO_MUTUAL": "mesh"}),
    )
    put(told, "sni", block.text("sni"))
    put(told, "subject_alt_names", block.texts("subjectAltNames"))
    put(told, "ca", block.text("credentialName"))
    for name in ("clientCertificate", "privateKey", "caCertificates", "caCrl"):
        block.refuse(name, "files of the proxy's own: put them into a Secret and write credentialName")
    if (skips := block.flag("insecureSkipVerify")) is not None and skips.value:
        block.findings.warn(skips.origin, "is ignored: a server's certificate is always verified")
    block.close()
    return told

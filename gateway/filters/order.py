"""The fixed order of filters, so that whoever reads a document knows what happens first.

Request: deprecation, CORS, WebSocket, authentication, claim headers, access, rate limits, fault, then redirect or
respond, or gRPC-Web, header changes, rewrite and cache. Response: deprecation, CORS, header changes, gRPC-Web or
compression; what belongs to every answer, our own too, goes with it by `Exchange.added`. What a rule does not use is
not in its tuple.
"""

from collections.abc import Sequence

from gateway.cache.rule_cache import RuleCache
from gateway.filters import (
    cache,
    compress,
    cors,
    deprecation,
    fault,
    grpc_web,
    headers,
    method_override,
    rate_limit,
    redirect,
    respond,
    rewrite,
    websocket,
)
from gateway.filters.limit import AppliedLimit
from gateway.filters.standing import compile_cost_removal
from gateway.plan import STRICT, FilterStep, Parts, RequestFilter, ResponseFilter, Slashes
from meshway.http1.message import ResponseHead
from meshway.model.match import PathMatch
from meshway.model.route import Rule, RuleDestination


def request_steps(
    rule: Rule,
    limits: Sequence[AppliedLimit],
    paths: Sequence[PathMatch],
    parts: Parts,
    name: str,
    callers: Sequence[FilterStep] = (),
    *,
    keeps: Slashes = STRICT,
    passes_override: bool = False,
    speaks_grpc: bool = False,
    transcode: RequestFilter | None = None,
    keeps_answers: RuleCache | None = None,
) -> tuple[FilterStep, ...]:
    """paths: canonical, prefixes without trailing slash, of the rule's matches. name: of the rule, for messages.
    callers: the steps of Authentications, who they are, and of AccessPolicies, what they may. keeps: as in the plan.
    passes_override: the Route lets the caller name another method to the service. speaks_grpc: all its services do.
    transcode: what makes gRPC of other calls. keeps_answers: where the rule does.

    Raises PathError for a bad path in it.
    """
    steps: list[FilterStep] = []
    if rule.deprecation is not None:
        steps.append(FilterStep("deprecation", "deprecation", deprecation.compile_filter(rule.deprecation)))
    if rule.cors is not None:
        steps.append(FilterStep("CORS", "cors", cors.compile_filter(rule.cors, name)))
    if rule.websocket is not None:
        steps.append(FilterStep("WebSocket", "websocket", websocket.compile_filter(rule.websocket, name)))
    steps += callers
    if limits:
        run, forecast = rate_limit.compile_filter(limits, parts), rate_limit.compile_forecast(limits, parts)
        steps.append(FilterStep("rate limit", "", run, forecast))
    if rule.fault is not None:
        steps += fault.compile_filters(rule.fault, name, parts)
    if rule.redirect is not None or rule.respond is not None:
        if rule.response_headers is not None:
            to_reply = headers.compile_reply_filter(rule.response_headers, paths)
            steps.append(FilterStep("response headers", "response_headers", to_reply))
        if rule.redirect is not None:
            steps.append(FilterStep("redirect", "redirect", redirect.compile_filter(rule.redirect, paths, keeps)))
        elif rule.respond is not None:
            steps.append(FilterStep("respond", "respond", respond.compile_filter(rule.respond)))
        return tuple(steps)
    if speaks_grpc:
        steps.append(FilterStep("gRPC-Web", "", grpc_web.translate))
    if passes_override:
        steps.append(FilterStep("method override", "", method_override.pass_on))
    steps += _header_steps(rule, paths)
    if rule.rewrite is not None:
        steps.append(FilterStep("rewrite", "rewrite", rewrite.compile_filter(rule.rewrite, paths, keeps)))
    if transcode is not None:
        steps.append(FilterStep("transcoding", "transcode", transcode))
    if keeps_answers is not None:
        forecast = cache.compile_forecast(keeps_answers)
        steps.append(FilterStep(cache.STEP, "cache", cache.compile_filter(keeps_answers), forecast))
    return tuple(steps)


def destination_filters(destination: RuleDestination, paths: Sequence[PathMatch]) -> tuple[RequestFilter, ...]:
    """Made where the destination is drawn, after all of the rule's. They refuse nobody."""
    return tuple(step.run for step in _header_steps(destination, paths))


def destination_response_filters(destination: RuleDestination) -> tuple[ResponseFilter, ...]:
    if destination.response_headers is None:
        return ()
    return (headers.compile_response_filter(destination.response_headers),)


def _header_steps(part: Rule | RuleDestination, paths: Sequence[PathMatch]) -> list[FilterStep]:
    steps: list[FilterStep] = []
    if part.request_headers is not None:
        to_request = headers.compile_request_filter(part.request_headers, paths)
        steps.append(FilterStep("request headers", "request_headers", to_request))
    if part.response_headers is not None:
        to_answer = headers.compile_answer_filter(part.response_headers, paths)
        if to_answer is not None:
            steps.append(FilterStep("response headers", "response_headers", to_answer))
    return steps


def response_filters(
    rule: Rule, limits: Sequence[AppliedLimit] = (), *, is_changed: bool = False
) -> tuple[ResponseFilter, ...]:
    """is_changed: who is asked of a call may put fields in place of the answer's, answers are translated, or somebody
    is told of each, which is done with these."""
    filters: list[ResponseFilter] = []
    if (removal := compile_cost_removal(limits)) is not None:
        filters.append(removal)
    if rule.deprecation is not None:
        filters.append(deprecation.compile_response_filter())
    if rule.cors is not None:
        filters.append(cors.compile_response_filter())
    if rule.response_headers is not None:
        filters.append(headers.compile_response_filter(rule.response_headers))
    if rule.compression is not None:
        filters.append(compress.compile_response_filter(rule.compression))
    if is_changed and not filters:
        filters.append(_as_it_is)
    return tuple(filters)


def _as_it_is(_: ResponseHead) -> None:
    """Where nothing else is changed."""

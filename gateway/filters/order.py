"""The fixed order of filters, so that whoever reads a document knows what happens first.

Request: deprecation, rate limits, fault, then redirect or respond, or header changes and rewrite. Response:
deprecation, header changes, compression; what belongs to every answer, our own too, goes with it by `Exchange.added`.
What a rule does not use is not in its tuple.
"""

from collections.abc import Sequence

from gateway.filters import compress, deprecation, fault, headers, rate_limit, redirect, respond, rewrite
from gateway.filters.rate_limit import AppliedLimit
from gateway.plan import Parts, RequestFilter, ResponseFilter
from meshway.model.match import PathMatch
from meshway.model.route import Rule, RuleDestination


def request_filters(
    rule: Rule, limits: Sequence[AppliedLimit], paths: Sequence[PathMatch], parts: Parts, name: str
) -> tuple[RequestFilter, ...]:
    """paths: canonical, prefixes without trailing slash, of the rule's matches. name: of the rule, for messages.

    Raises PathError for a bad path in it.
    """
    filters: list[RequestFilter] = []
    prefixes = [path.prefix.encode() for path in paths if path.prefix is not None]
    if rule.deprecation is not None:
        filters.append(deprecation.compile_filter(rule.deprecation))
    if limits:
        filters.append(rate_limit.compile_filter(limits, parts))
    if rule.fault is not None:
        filters += fault.compile_filters(rule.fault, name, parts)
    if rule.redirect is not None or rule.respond is not None:
        if rule.response_headers is not None:
            filters.append(headers.compile_reply_filter(rule.response_headers, paths))
        if rule.redirect is not None:
            filters.append(redirect.compile_filter(rule.redirect, prefixes))
        elif rule.respond is not None:
            filters.append(respond.compile_filter(rule.respond))
        return tuple(filters)
    filters += _header_filters(rule, paths)
    if rule.rewrite is not None:
        filters.append(rewrite.compile_filter(rule.rewrite, prefixes))
    return tuple(filters)


def destination_filters(destination: RuleDestination, paths: Sequence[PathMatch]) -> tuple[RequestFilter, ...]:
    """Made where the destination is drawn, after all of the rule's. They refuse nobody."""
    return tuple(_header_filters(destination, paths))


def destination_response_filters(destination: RuleDestination) -> tuple[ResponseFilter, ...]:
    if destination.response_headers is None:
        return ()
    return (headers.compile_response_filter(destination.response_headers),)


def _header_filters(part: Rule | RuleDestination, paths: Sequence[PathMatch]) -> list[RequestFilter]:
    filters: list[RequestFilter] = []
    if part.request_headers is not None:
        filters.append(headers.compile_request_filter(part.request_headers, paths))
    if part.response_headers is not None:
        to_answer = headers.compile_answer_filter(part.response_headers, paths)
        if to_answer is not None:
            filters.append(to_answer)
    return filters


def response_filters(rule: Rule) -> tuple[ResponseFilter, ...]:
    filters: list[ResponseFilter] = []
    if rule.deprecation is not None:
        filters.append(deprecation.compile_response_filter())
    if rule.response_headers is not None:
        filters.append(headers.compile_response_filter(rule.response_headers))
    if rule.compression is not None:
        filters.append(compress.compile_response_filter(rule.compression))
    return tuple(filters)

"""The fixed order of filters, so that whoever reads a document knows what happens first.

Request: rate limits, fault, then redirect or respond, or header changes and rewrite. Response: header changes; the rate
limits' own fields go with every answer by `Exchange.added`. What a rule does not use is not in its tuple.
"""

from collections.abc import Sequence

from gateway.filters import fault, headers, rate_limit, redirect, respond, rewrite
from gateway.filters.rate_limit import AppliedLimit
from gateway.plan import Parts, RequestFilter, ResponseFilter
from meshway.model.route import Rule


def request_filters(
    rule: Rule, limits: Sequence[AppliedLimit], prefixes: Sequence[bytes], parts: Parts, name: str
) -> tuple[RequestFilter, ...]:
    """prefixes: canonical, without trailing slash, of the rule's matches. name: of the rule, for messages.

    Raises PathError for a bad path in it.
    """
    filters: list[RequestFilter] = []
    if limits:
        filters.append(rate_limit.compile_filter(limits, parts))
    if rule.fault is not None:
        filters += fault.compile_filters(rule.fault, name, parts)
    if rule.redirect is not None or rule.respond is not None:
        if rule.response_headers is not None:
            filters.append(headers.compile_reply_filter(rule.response_headers))
        if rule.redirect is not None:
            filters.append(redirect.compile_filter(rule.redirect, prefixes))
        elif rule.respond is not None:
            filters.append(respond.compile_filter(rule.respond))
        return tuple(filters)
    if rule.request_headers is not None:
        filters.append(headers.compile_request_filter(rule.request_headers))
    if rule.rewrite is not None:
        filters.append(rewrite.compile_filter(rule.rewrite, prefixes))
    return tuple(filters)


def response_filters(rule: Rule) -> tuple[ResponseFilter, ...]:
    if rule.response_headers is None:
        return ()
    return (headers.compile_response_filter(rule.response_headers),)

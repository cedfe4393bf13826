"""What the routes of tokens and of the audit log are, for the API's description."""

from __future__ import annotations

from registry.api import audit, tokens
from registry.api.parameters import PAGE, PROBLEM
from registry.manners.openapi import Operation, Parameter
from registry.rights.tokens import NewToken


def token_operations() -> list[Operation]:
    return [
        Operation(
            method="POST",
            path=tokens.MANY,
            id="createToken",
            is_confirmed=True,
            tag="rights",
            about="Make a token. The answer is the only one that tells it.",
            right="tokens:write",
            by_rows=True,
            detail="Nobody gives rights that they have not themselves, in namespaces where they may make tokens.",
            body=tokens.TokenRequest,
            answers={201: NewToken, 409: PROBLEM},
            example_body={"name": "ci", "grants": [{"role": "editor", "namespace": "default"}], "expires_in_s": 3600},
        ),
        Operation(
            method="GET",
            path=tokens.MANY,
            id="listTokens",
            tag="rights",
            about="Tokens, without themselves; those that are over or revoked among them.",
            right="tokens:read",
            by_rows=True,
            answers={200: tokens.TokenPage},
        ),
        Operation(
            method="DELETE",
            path=tokens.ONE,
            id="revokeToken",
            is_confirmed=True,
            tag="rights",
            about="Revoke a token: it is refused at once here, and within 5 s by all registries.",
            right="tokens:write",
            by_rows=True,
            answers={204: None, 404: PROBLEM, 409: PROBLEM},
            example={"token": "abcdefgh"},
        ),
    ]


def audit_operations() -> list[Operation]:
    whole = {"type": "integer", "minimum": 0}
    return [
        Operation(
            method="GET",
            path=audit.PATH,
            id="listAudit",
            tag="rights",
            about="Who did what, newest first: documents, tokens, instances, and writes that were denied.",
            right="audit:read",
            detail="Each row's hash is over the row and the hash before, see docs/internals/rights.md.",
            parameters=(
                *PAGE,
                Parameter(name="after", about="Oldest first, behind this row; to check the chain.", schema=whole),
            ),
            answers={200: audit.AuditPage},
        )
    ]

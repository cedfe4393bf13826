"""What the routes of single sign-on are, for the API's description."""

from __future__ import annotations

from typing import Final

from registry.api import single_sign_on
from registry.api.parameters import PROBLEM
from registry.api.single_sign_on import GrantWanted, SignedIn
from registry.federation.single_sign_on import CALLBACK
from registry.manners.openapi import Operation, Parameter

_PROVIDER: Final = Parameter(name="provider", about="Its name; may be left out where there is one.")


def single_sign_on_operations() -> list[Operation]:
    return [
        Operation(
            method="GET",
            path=single_sign_on.MANY,
            id="listSignInProviders",
            tag="rights",
            about="The OpenID providers where people may sign in.",
            right="open",
            answers={200: single_sign_on.OfferedPage},
        ),
        Operation(
            method="GET",
            path=single_sign_on.START,
            id="startSignIn",
            tag="rights",
            about="Send a browser to the provider.",
            detail="A command names port and challenge (RFC 7636): the browser brings a grant to its loopback port.",
            parameters=(
                _PROVIDER,
                Parameter(name="back", about="A path of this registry, where the browser goes on. /"),
                Parameter(name="port", about="Of a command on the browser's machine.", schema={"type": "integer"}),
                Parameter(
                    name="confirm", about="`true`: the provider asks again who it is, as keys and users need it."
                ),
                Parameter(name="challenge", about="SHA-256 of the command's verifier, base64url."),
            ),
            right="open",
            answers={302: None, 404: PROBLEM, 421: PROBLEM, 503: PROBLEM},
        ),
        Operation(
            method="GET",
            path=CALLBACK,
            id="finishSignIn",
            tag="rights",
            about="Where the provider sends the browser back: its session begins, in a page that goes on.",
            right="open",
            # Who confirms brings the cookie of the session so far along, by the provider's site: it says nothing here.
            by_session=False,
            answers={200: {"type": "string"}, 302: None, 401: PROBLEM, 403: PROBLEM, 404: PROBLEM, 503: PROBLEM},
            produces="text/html",
        ),
        Operation(
            method="GET",
            path=single_sign_on.END,
            id="endSignIn",
            tag="rights",
            about="Send a browser that has signed out here to the provider, to sign out there.",
            parameters=(_PROVIDER,),
            right="open",
            answers={302: None, 404: PROBLEM},
        ),
        Operation(
            method="POST",
            path=single_sign_on.GRANTS,
            id="redeemSignIn",
            tag="rights",
            about="A command's session for the grant that its browser brought. It is told once.",
            right="open",
            body=GrantWanted,
            answers={201: SignedIn, 401: PROBLEM, 403: PROBLEM, 404: PROBLEM},
            example_body={"grant": "…", "verifier": "a" * 43},
        ),
    ]

"""What routing leads to: mostly a RoutePlan, which a type without arguments means.

In a module of its own, that is never compiled: a compiler takes TYPE_CHECKING for true, and the default is no matter of
running code (typing has it from Python 3.13 on).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from gateway.plan import RoutePlan

    P = TypeVar("P", default=RoutePlan)
else:
    from typing import TypeVar

    P = TypeVar("P")

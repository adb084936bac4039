"""The one address of a player, for every template that shows a user id."""
from __future__ import annotations

from typing import Any

from django import template

from gs2admin.dashboard.player import address

register = template.Library()


@register.simple_tag(takes_context=True)
def everything(context: dict[str, Any], user_id: str) -> str:
    """{% everything row.user_id %}: the page with everything about a player."""
    return address(context["project"], user_id)

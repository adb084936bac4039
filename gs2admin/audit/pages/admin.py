"""The activity log of all projects, for looking."""
from __future__ import annotations

from django.contrib import admin
from django.db.models import Max, QuerySet
from django.http import HttpRequest

from gs2admin.adminkit import ReadOnlyAdmin
from gs2admin.audit.models import Activity
from gs2admin.audit.pages.words import DOORS

# What no index serves is looked for in so many of the newest lines; the activity page of a project goes through all of them.
NEWEST = 10_000


def newest(rows: QuerySet[Activity]) -> QuerySet[Activity]:
    """Those of the lines that are among the NEWEST."""
    last = Activity.objects.aggregate(last=Max("pk"))["last"] or 0
    return rows.filter(pk__gt=last - NEWEST)


class DoorFilter(admin.SimpleListFilter):
    """Through which door. Its words are known, while Django would read them from all lines."""

    title = f"door, in the newest {NEWEST:,} lines"
    parameter_name = "door"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        """All doors."""
        return list(DOORS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Activity]) -> QuerySet[Activity]:
        """The lines of the door that was chosen."""
        return newest(queryset).filter(door=self.value()) if self.value() else queryset


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    """Also shows the lines that belong to no project: accounts and passwords."""

    list_display = ("at", "actor_name", "action", "object_name", "project", "door", "reason")
    list_filter = (DoorFilter, "project")
    list_select_related = ("project",)
    search_fields = ("actor_name", "action", "object_name", "request_id")
    search_help_text = f"Person or program, action, object or request id, in the newest {NEWEST:,} lines"

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """As Django finds them, which reads every line that it may."""
        rows = newest(queryset) if search_term.strip() else queryset
        return super().get_search_results(request, rows, search_term)

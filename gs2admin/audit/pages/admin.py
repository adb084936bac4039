"""The activity log of all projects, for looking."""
from django.contrib import admin

from gs2admin.adminkit import ReadOnlyAdmin
from gs2admin.audit.models import Activity


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    """Also shows the lines that belong to no project: accounts and passwords."""

    list_display = ("at", "actor_name", "action", "object_name", "project", "door", "reason")
    list_filter = ("door", "actor_kind", "project")
    list_select_related = ("project",)
    search_fields = ("actor_name", "action", "object_name", "request_id")
    search_help_text = "Person or program, action, object or request id"

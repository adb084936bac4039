"""The Django admin, with our site in place of the stock one."""
from django.contrib.admin.apps import AdminConfig as StockAdminConfig


class AdminConfig(StockAdminConfig):
    default_site = "gs2admin.adminsite.AdminSite"

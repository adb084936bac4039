"""Django admin for data fixes of stages; each module registers its pages."""
from stages.admin import delivery, governance  # noqa: F401

"""The data admin of stages. Each module registers its pages."""
from stages.admin import delivery, governance  # noqa: F401

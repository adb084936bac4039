"""What programs speak to stages: GS2-Freeze, our own JSON API, SourceDeploy and ASM."""
from stages.api import freeze, stages
from stages.api.protocols import PROTOCOLS

METHODS = freeze.METHODS + stages.METHODS

__all__ = ["METHODS", "PROTOCOLS"]

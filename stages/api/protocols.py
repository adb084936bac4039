"""The published protocols that stages are seen through, beside GS2-Freeze."""

from __future__ import annotations

from stages.api.asm.door import Asm
from stages.api.sourcedeploy.door import SourceDeploy

PROTOCOLS = [SourceDeploy(), Asm()]

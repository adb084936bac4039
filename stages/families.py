"""The published protocols that stages are seen through, beside GS2-Freeze."""

from __future__ import annotations

from stages.asm.door import Asm
from stages.sourcedeploy.door import SourceDeploy

FAMILIES = [SourceDeploy(), Asm()]

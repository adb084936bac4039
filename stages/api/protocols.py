"""The published protocols beside GS2-Freeze, as gs2admin.wire serves them."""

from __future__ import annotations

from stages.api.asm.protocol import Asm
from stages.api.sourcedeploy.protocol import SourceDeploy

PROTOCOLS = [SourceDeploy(), Asm()]

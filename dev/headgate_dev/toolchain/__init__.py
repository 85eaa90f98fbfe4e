"""The programs a development cluster is made of, found or built, so that nothing but Python and Go need be installed.

Real binaries of the real components are what makes tests of an operator worth believing; machines without Docker cannot
pull them as images, so we look where they usually lie and otherwise build them from their published modules.
"""

from headgate_dev.toolchain.catalogue import TOOLS, Tool, ToolSet
from headgate_dev.toolchain.errors import ToolchainError
from headgate_dev.toolchain.locate import find_tools

__all__ = ["TOOLS", "Tool", "ToolSet", "ToolchainError", "find_tools"]

"""The search order of the tools: what the machine offers first, a build last."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from headgate_dev.toolchain import envtest
from headgate_dev.toolchain.build import build
from headgate_dev.toolchain.cache import cache_root, envtest_folder, executable_in, set_folder
from headgate_dev.toolchain.catalogue import TOOLS, Tool
from headgate_dev.toolchain.errors import ToolchainError


def find_tools(names: Iterable[str], environ: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Return the path of each named tool, building what is nowhere to be found.

    Order: ``KUBEBUILDER_ASSETS``, our cache, the published envtest archive, a build from Go modules.
    Raises ToolchainError for an unknown name or when a build fails.
    """
    environ = os.environ if environ is None else environ
    wanted = [_tool(name) for name in names]
    missing = [tool for tool in wanted if present(tool, environ) is None]
    if published := [tool for tool in missing if tool.in_envtest]:
        envtest.fetch(published, environ)
    missing = [tool for tool in missing if present(tool, environ) is None]
    for tool_set in dict.fromkeys(tool.tool_set for tool in missing):
        build(tool_set, [tool for tool in missing if tool.tool_set == tool_set], environ)
    return {tool.name: _now_present(tool, environ) for tool in wanted}


def present(tool: Tool, environ: Mapping[str, str]) -> Path | None:
    """Return where the tool already lies, by the same order, without fetching or building anything."""
    for folder in _folders(tool, environ):
        if found := executable_in(folder, tool):
            return found
    return None


def _folders(tool: Tool, environ: Mapping[str, str]) -> list[Path]:
    root = cache_root(environ)
    folders = [set_folder(root, tool.tool_set)]
    if tool.in_envtest:
        folders.append(envtest_folder(root, TOOLS["kube-apiserver"].tool_set))
        if assets := environ.get("KUBEBUILDER_ASSETS"):
            folders.insert(0, Path(assets))
    return folders


def _tool(name: str) -> Tool:
    try:
        return TOOLS[name]
    except KeyError:
        raise ToolchainError(f"{name}: no such tool; there are {', '.join(TOOLS)}") from None


def _now_present(tool: Tool, environ: Mapping[str, str]) -> Path:
    found = present(tool, environ)
    if found is None:
        raise ToolchainError(f"{tool.name}: was built but is not in {set_folder(cache_root(environ), tool.tool_set)}")
    return found

"""What the edge asks of a wire protocol, whichever it is; each protocol's own part stands in a package beside this one."""

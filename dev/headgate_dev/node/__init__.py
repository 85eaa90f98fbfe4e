"""A node without containers: pods run as local processes, so that Deployments roll for real where no container runtime is.

It does no more than the fleet needs, and says `UnsupportedByDevNode` about everything else rather than ignoring it.
"""

"""ProxyFleets: the proxy Deployments, what they are given, and how far they have come."""

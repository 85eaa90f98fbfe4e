"""Two tracks: which requests a candidate serves, the way to the pods that serve it, and what both tracks are judged by."""

"""The cluster as a person's command sees it: whom kubeconfig says they are, plain JSON objects, refusals as sentences."""

"""``headgate purge``: what stays behind on purpose when the chart is uninstalled, and how it goes."""

"""The contract between the control plane and the edge: shapes and rules, no I/O.

Everything both sides must agree on lives here, once: resource models (the source of ``crds/*.yaml``), the snapshot a
proxy runs on, the shapes and paths of Vault records, reasons, and the redaction boundary.
"""

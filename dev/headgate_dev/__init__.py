"""What only development needs: a real control plane and OpenBao on one machine, a node without containers, an emulated vendor."""

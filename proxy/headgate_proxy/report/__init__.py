"""What a proxy tells the control plane about itself."""

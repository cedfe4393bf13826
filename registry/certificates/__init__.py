"""Certificates of gateways: those that the mesh issues itself, and what is told of each."""

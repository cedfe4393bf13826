"""The two faces of a gateway, edge and mesh, and the sockets behind them."""

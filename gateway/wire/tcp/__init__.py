"""Connections that are carried as they are: TcpRoutes and TlsRoutes."""

"""UDP: datagrams of Listeners whose protocol is udp, by sessions."""

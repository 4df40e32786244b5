"""The WebSocket face: pure protocol, tick frames, and the sockets that carry them."""

"""Protocols: how wrapped engines are spoken to. One file a protocol, one interface for all."""

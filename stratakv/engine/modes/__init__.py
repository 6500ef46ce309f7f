"""Modes: how calls reach the store and a wrapped engine. One file a mode, one interface for all."""

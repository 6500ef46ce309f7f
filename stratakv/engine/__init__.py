"""The store: serialisation, codecs, journal, catalog, packs, tiers and the face."""

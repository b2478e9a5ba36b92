"""Offline algorithms that train many independent runs at once, along a leading axis."""

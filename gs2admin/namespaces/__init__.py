"""What namespaces of any service share: writes, pages, GS2 methods, data fixes."""

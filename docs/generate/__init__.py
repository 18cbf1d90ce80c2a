"""What MkDocs adds to the pages in docs: references from the code, formulas, linked files."""

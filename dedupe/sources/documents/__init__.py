"""Image formats that are made of documents and blobs."""

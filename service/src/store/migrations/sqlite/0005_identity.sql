-- The store's own name, by which a copy of another one in its place is noticed.

CREATE TABLE store_identity (
    id TEXT NOT NULL PRIMARY KEY
) STRICT;
INSERT INTO store_identity (id) VALUES (lower(hex(randomblob(16))));
